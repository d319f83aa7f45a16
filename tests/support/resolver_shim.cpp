// LD_PRELOAD: the name service of a test. The host db.test is what the file named by
// FAULT_RESOLVER says at that moment: an address, "unknown", or "slow" (no answer for 30 s).
// All other names go to the real resolver.

#include <dlfcn.h>
#include <netdb.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

extern "C" __attribute__((visibility("default"))) int getaddrinfo(const char* node,
                                                                  const char* service,
                                                                  const addrinfo* hints,
                                                                  addrinfo** result) {
  using Resolve = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Resolve>(dlsym(RTLD_NEXT, "getaddrinfo"));
  if (node == nullptr || std::strcmp(node, "db.test") != 0)
    return real(node, service, hints, result);
  std::string answer;
  std::getline(std::ifstream(std::getenv("FAULT_RESOLVER")), answer);
  if (answer == "unknown") return EAI_NONAME;
  if (answer != "slow") return real(answer.c_str(), service, hints, result);
  sleep(30);
  return EAI_AGAIN;
}
