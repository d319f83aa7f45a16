// What a counter means for the data, and what to do. Of reasons, limits and rankings, by the names that the API uses.

export const REFUSED = {
  missing_value: "No ':' or nothing behind it. A line is name:value|type.",
  missing_type: "No '|' or nothing behind it. Say what it is: |c, |ms, |g, |s, |h or |d.",
  empty_name: "Nothing stands before the ':'.",
  bad_value: "The value is no finite decimal number.",
  bad_rate: "The rate behind '@' must be a number from 0.000001 to 1, once.",
  bad_timestamp: "|T wants whole seconds since 1970.",
  unknown_type: "The type is none of c, g, ms, s, h, d.",
  dialect_off: "Well formed, but its dialect is switched off: see [dialects] of the configuration.",
  bad_notice: "An event or a service check that is not as DogStatsD writes it.",
  invalid_utf8: "Name or tag is no UTF-8; InfluxDB would fail the whole request over it.",
  reserved_name: "Names that begin with tallyd. are tallyd's own.",
  name_too_long: "The name is longer than limits.name_bytes.",
  tag_too_long: "A tag's key or value is longer than limits.tag_bytes.",
  too_many_tags: "More tags than limits.tags.",
  series_too_long: "Name and tags together are over 4,096 bytes.",
  truncated: "The end of it is missing: the datagram was too large, or the connection was cut off.",
  line_too_long: "No line end within 64 KiB of a stream.",
  series_limit: "A new series, and limits.series are there already. See under Top what makes so many.",
  overflow: "The sum would leave the range of a number.",
  notice_limit: "More than 10,000 events and service checks in one window.",
};

export const DROPPED = {
  outbox_full: "The memory for waiting points was full. With a spool.directory they wait on disk.",
  refused: "The database would not have them; the log names the lines.",
  type_conflict: "The field has another type in the database already. Write to another measurement, or drop the old one.",
  beyond_retention: "Older than the database's retention policy keeps.",
  series_limit: "The database's own limit of series was reached. Raise it there, or send fewer series.",
  spool_full: "The spool reached spool.max_bytes; the oldest went.",
  spool_age: "They waited longer than spool.max_age.",
  spool_damaged: "The disk gave back other bytes than were written. Look after the disk.",
  shutdown: "Still in memory when the process had to end. With a spool.directory they survive that.",
};

export const KERNEL =
  "Packets came faster than they were read. Raise net.core.rmem_max and listen.receive_buffer, or listen.workers.";
export const DENIED = "listen.allow does not name their sender.";
export const DEAD = "The database refused these lines by name: tallyd spool dead shows them.";

export const NO_HISTORY = "No series are remembered, for http.history is 0. Set it, as to \"32MiB\", and restart tallyd.";

export const TOP = {
  rate: {
    hint: "The series with the most values a second in the last window. A sample rate (|@0.1) or fewer calls make it less.",
    columns: ["Series", "Values a second"],
  },
  series: {
    hint: "The beginnings of names that have the most series. Too many? A name or a tag holds something that never repeats, as an id.",
    columns: ["Names", "Series"],
  },
  bytes: {
    hint: "The names that cost the most bytes of line protocol in the last window: network, database, disk.",
    columns: ["Name", "Bytes a window"],
  },
  sender: {
    hint: "Who sends now. Of UDP each socket is a sender of its own.",
    columns: ["Sender", "Lines a second"],
  },
  tag: {
    hint: "The tags with the most different values. One with thousands is the usual reason for too many series.",
    columns: ["Tag", "Values"],
  },
};

const TIMED = "In the unit that its sender uses, ms by custom. p99: 99 of 100 were not slower.";

export const MEANING = {
  counter: "count is what was added up in a window, sample rates included; rate is that a second.",
  gauge: "The last value of a window. It is written again each window until it was idle for gauges.ttl.",
  set: "How many different members a window had.",
  timer: TIMED,
  histogram: "A distribution of values, in the sender's own unit. p99: 99 of 100 were not larger.",
  distribution: "A distribution of values, in the sender's own unit. p99: 99 of 100 were not larger.",
};
