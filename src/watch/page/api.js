// Talks to tallyd, by urls relative to the page: a path prefix and a forwarded port make no difference.

const TOKEN = "tallyd.token";
let token = null;
try {
  token = sessionStorage.getItem(TOKEN);
} catch {}  // no storage: it is asked for again after a reload

// For this tab only.
export function setToken(text) {
  token = text;
  try {
    sessionStorage.setItem(TOKEN, text);
  } catch {}
}

export const hasToken = () => token !== null;

// An answer that is no success. The message is tallyd's own, which says what to do.
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// No answer, or half of one.
export class Unreachable extends Error {}

async function ask(path, signal) {
  const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
  const answer = await fetch(`api/v1/${path}`, { headers, signal, cache: "no-store" }).catch((error) => {
    throw new Unreachable(error.message);
  });
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, said.error ?? `tallyd answers ${answer.status} ${answer.statusText}`);
}

export async function getJson(path, signal) {
  const answer = await ask(path, signal);
  return answer.json().catch((error) => {
    throw new Unreachable(error.message);
  });
}

// The events of a text/event-stream, one {event, data} each, until it ends. With fetch, for EventSource sends no
// headers, so no token. `onHeard` is called for whatever comes, comments too.
export async function* events(path, signal, onHeard) {
  const reader = (await ask(path, signal)).body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    onHeard();
    const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = parseEvent(block);
      if (event) yield event;
    }
  }
}

// Nothing for a comment.
function parseEvent(block) {
  let event = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) event = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5));
  }
  return data.length > 0 ? { event, data: JSON.parse(data.join("\n")) } : null;
}
