// Before anything is drawn: light or dark, as chosen here, else as the system has it. No module, for those wait.

(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  let choice = "auto";
  try {
    choice = localStorage.getItem("tallyd.theme") ?? "auto";
  } catch {}  // no storage: then it is not remembered

  const apply = () => {
    const dark = choice === "dark" || (choice === "auto" && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    dispatchEvent(new Event("theme"));
  };
  system.addEventListener("change", apply);
  apply();

  window.tallydTheme = {
    get choice() { return choice; },
    next() {
      choice = { auto: "light", light: "dark", dark: "auto" }[choice] ?? "auto";
      try {
        localStorage.setItem("tallyd.theme", choice);
      } catch {}
      apply();
    },
  };
})();
