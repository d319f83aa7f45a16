// tallyd's own series in its history: what happened before this page was opened.

import { getJson } from "./api.js";
import { live } from "./live.js";

const known = new Map();  // what was asked for -> ids: to look for them costs more than to look at them
live.addEventListener("state", () => known.clear());  // a daemon that was started anew does not know them yet

// {windows, counts, rates} of a counter of tallyd, over all series whose tags are among `tags`; null if it keeps no
// history, or none of this.
export async function ownCounter(name, tags = {}) {
  const key = JSON.stringify([name, tags]);
  const ids = known.get(key) ?? await find(name, tags);
  known.delete(key);
  const all = await Promise.all(ids.map((id) => getJson(`series/${id}`)));
  if (all.length === 0) return null;
  known.set(key, ids);
  const sum = (field) => all[0].windows.map((_, at) => add(all.map((one) => one.fields[field]?.[at] ?? null)));
  return { windows: all[0].windows, counts: sum("count"), rates: sum("rate") };
}

async function find(name, tags) {
  const query = new URLSearchParams({ match: name, kind: "counter", limit: 100 });
  const { series } = await getJson(`series?${query}`);
  const isWanted = (one) => one.name === name && Object.entries(tags).every(([key, values]) => values.includes(one.tags[key]));
  return series.filter(isWanted).map(({ id }) => id);
}

function add(values) {
  const heard = values.filter((value) => value !== null);
  return heard.length > 0 ? heard.reduce((sum, value) => sum + value, 0) : null;
}
