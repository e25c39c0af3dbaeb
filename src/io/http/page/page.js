"use strict";

// Texts of the document become text nodes and attribute values, never markup.

const INTERVAL = 2000;
const SAMPLES = 150;

const $ = (id) => document.getElementById(id);

/** An element with attributes and children; a child is a node or a text. */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function drawn(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  return made;
}

/** A text in which what cannot be seen, or turns others around, is written as JSON has it. */
function seen(text) {
  const code = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\u3164\uffa0]/gu;
  return String(text).replace(unseen, (one) => one.split("").map(code).join(""));
}

/** Makes a list of elements from items, and keeps those whose item was there before. */
function keyed(parent, items, keyOf, make, update) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = before.get(key);
    before.delete(key);
    if (child === undefined) {
      child = make(item);
      child.dataset.key = key;
    }
    update(child, item);
    if (child === place) {
      place = place.nextElementSibling;
    } else {
      parent.insertBefore(child, place);
    }
  }
  before.forEach((child) => child.remove());
}

/** Sets a text, if it is another one: selections stay. */
function say(node, text) {
  const shown = seen(text);
  if (node.textContent !== shown) {
    node.textContent = shown;
  }
}

// Numbers and times

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const count = (number) => (number < 100000 ? whole : short).format(number);

function many(number, one, more) {
  return `${count(number)} ${number === 1 ? one : more}`;
}

/** A span of seconds, roughly. */
function span(seconds) {
  const steps = [
    [172800, 86400, "days"],
    [5400, 3600, "h"],
    [120, 60, "min"],
  ];
  const step = steps.find(([from]) => seconds >= from);
  if (step !== undefined) {
    return `${Math.round(seconds / step[1])} ${step[2]}`;
  }
  return seconds < 1 ? "less than 1 s" : `${Math.round(seconds)} s`;
}

/** The part of the processor's time, or seconds of it. */
function took(seconds) {
  if (seconds >= 10) {
    return span(seconds);
  }
  return seconds >= 0.001 ? `${Number(seconds.toPrecision(2))} s` : "0";
}

function utc(millis) {
  const date = new Date(millis);
  return Number.isNaN(date.getTime()) ? String(millis) : date.toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
}

function ago(millis, now) {
  const seconds = (now - millis) / 1000;
  return seconds >= -1 ? `${span(Math.max(seconds, 0))} ago` : `in ${span(-seconds)}`;
}

/** A time beside the present one; the pointer shows which. */
function when(node, millis, now) {
  const time = node.firstElementChild ?? node.appendChild(element("time", {}));
  const exact = utc(millis);
  if (time.title !== exact) {
    time.title = exact;
    time.dateTime = exact;
  }
  say(time, ago(millis, now));
}

function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const step = Math.min(Math.floor(Math.log2(Math.max(number, 1)) / 10), units.length - 1);
  const value = number / 1024 ** step;
  return `${value < 10 && step > 0 ? value.toFixed(1) : Math.round(value)} ${units[step]}`;
}

function bar(part, most) {
  const made = drawn("svg", { class: "bar", "aria-hidden": "true" });
  const rect = drawn("rect", { height: "100%", rx: "3" });
  made.append(rect);
  lengthen(made, part, most);
  return made;
}

function lengthen(of, part, most) {
  const percent = most > 0 ? Math.max((part / most) * 100, part > 0 ? 1 : 0) : 0;
  of.firstElementChild.setAttribute("width", `${percent.toFixed(1)}%`);
}

const band = (severity) => (severity >= 9 ? "high" : severity >= 5 ? "medium" : "low");

/** Terms and what they are. */
function pairs(list, entries) {
  keyed(
    list,
    entries,
    ([term]) => term,
    ([term]) => element("div", {}, element("dt", {}, seen(term)), element("dd", {})),
    (child, [, value]) => say(child.lastElementChild, value),
  );
}

// Verdict

const STATES = {
  working: ["good", "Working"],
  catching_up: ["warn", "Catching up"],
  rebuilding: ["warn", "Making its state anew"],
  starting: ["warn", "Starting"],
  stopping: ["warn", "Stopping"],
  brokers_away: ["bad", "The brokers are away"],
};

const place = (of) => `${of.topic}/${of.partition}`;

function showVerdict(now) {
  const { verdict, progress, sources } = now;
  const [tone, words] = STATES[verdict.state] ?? ["warn", verdict.state];
  $("verdict").className = tone;
  const isFar = ["working", "catching_up"].includes(verdict.state) && progress.behind_seconds !== null;
  say($("state"), isFar ? `${words}, ${span(progress.behind_seconds)} behind` : words);
  const why = [verdict.why];
  const most = sources.listed.find((one) => one.lag > 0);
  if (most !== undefined && verdict.state === "catching_up") {
    why.push(`${many(progress.source_lag, "message is", "messages are")} still to be read, most of them in ${place(most)} (${count(most.lag)}).`);
  }
  if (progress.rebuilding !== null && verdict.state === "rebuilding") {
    const { offsets, offsets_left: left } = progress.rebuilding;
    why.push(`${Math.floor((100 * (offsets - left)) / Math.max(offsets, 1))} % is folded again.`);
  }
  if (progress.held_back_by !== null && progress.watermark_delay_seconds > 60) {
    why.push(`Event time has come to ${span(progress.watermark_delay_seconds)} ago; ${place(progress.held_back_by)} holds it back.`);
  }
  say($("why"), why.join(" "));
}

// Pace: what went through since the page was opened

const samples = [];

function sample(now) {
  const last = samples.at(-1);
  if (last !== undefined && now.counts.records < last.records) {
    samples.length = 0;
  }
  samples.push({ at: now.now, records: now.counts.records });
  samples.splice(0, samples.length - SAMPLES);
}

function paces() {
  return samples.slice(1).map((one, before) => {
    const { at, records } = samples[before];
    return (one.records - records) / Math.max((one.at - at) / 1000, 0.001);
  });
}

function showPace() {
  const all = paces();
  const most = Math.max(...all, 1);
  const step = 300 / Math.max(all.length - 1, 1);
  const point = (pace, at) => `${(at * step).toFixed(1)},${(62 - (pace / most) * 58).toFixed(1)}`;
  const line = all.map(point).join(" L");
  const chart = $("pace");
  if (chart.childElementCount === 0) {
    chart.append(drawn("path", { class: "area" }), drawn("path", { class: "edge" }));
  }
  const [area, edge] = chart.children;
  area.setAttribute("d", line === "" ? "" : `M0,64 L${line} L300,64 Z`);
  edge.setAttribute("d", line === "" ? "" : `M${line}`);
  const pace = recent(all);
  say($("pace-says"), all.length === 0 ? "Records a second" : `${count(Math.round(pace))} records a second, at most ${count(Math.round(most))}`);
}

/** Of the last ten seconds: commits come in steps. */
function recent(all) {
  const last = all.slice(-5);
  return last.reduce((sum, pace) => sum + pace, 0) / Math.max(last.length, 1);
}

// Tiles and notes

function showTiles(now) {
  const { progress, counts, process, rules } = now;
  const refused = Object.values(counts.dead_letters).reduce((sum, one) => sum + one, 0);
  const latency = progress.latency.half_below_seconds;
  const tiles = [
    ["Behind", progress.behind_seconds === null ? "–" : span(progress.behind_seconds), "over both stages"],
    ["To be read", progress.source_lag === null ? "–" : count(progress.source_lag), `messages in ${many(now.sources.total, "partition", "partitions")}`],
    ["Records", count(counts.records), `${bytes(counts.bytes)} in ${many(counts.messages, "message", "messages")}`],
    ["Incidents said", count(counts.incidents), latency === null ? `by ${many(rules.total, "rule", "rules")}` : `half within ${span(latency)} of the event`],
    ["Refused", count(refused), refused === 0 ? "all records were read" : "in the dead letters"],
    ["Memory", process.resident_bytes === null ? "–" : bytes(process.resident_bytes), `up for ${span((now.now - now.started) / 1000)}`],
  ];
  keyed(
    $("tiles"),
    tiles,
    ([term]) => term,
    ([term]) => element("div", {}, element("dt", {}, term), element("dd", {}), element("small", {})),
    (child, [, value, below]) => {
      say(child.children[1], value);
      say(child.children[2], below);
    },
  );
}

const unseenPatterns = (rule) => rule.patterns.filter((pattern) => pattern.data_last_seen === null);

function notesOf(now) {
  const { plan, counts, rules, history, validate } = now;
  const refused = Object.values(counts.dead_letters).reduce((sum, one) => sum + one, 0);
  const silent = rules.listed.filter((rule) => unseenPatterns(rule).length > 0).length;
  const notes = [];
  const add = (key, isThere, text, href, tone = "warn") => isThere && notes.push({ key, text, href, tone });
  add("last_good", plan.last_good, "The rule files have errors: the rules in use are those from before.", "#history", "bad");
  add("others", plan.others.length > 0, `Other workers of the group use other rules (plan ${plan.others.join(", ")}; here ${plan.hash}).`, "#group");
  add("refused_rules", plan.reloads_refused > 0 && !plan.last_good, "Changed rules were refused; those in use stayed.", "#history");
  add("replaced", counts.sources_replaced > 0, "A source partition is another log than the one that was read.", "#history", "bad");
  add("refused", refused > 0, `${many(refused, "record was", "records were")} refused.`, "#losses");
  add("late", counts.late > 0, `${many(counts.late, "match came", "matches came")} too late to count.`, "#losses");
  add("silent", silent > 0 && validate === "all" && counts.records > 0, `For ${many(silent, "rule", "rules")} no data has come that could match. Is a diagnostic setting off?`, "#rules");
  const recent = history.find((one) => one.trouble === "brokers_away" && now.now - one.to < 3600000);
  add("away", recent !== undefined && now.brokers_up, "The brokers were away within the last hour.", "#history");
  return notes;
}

function showNotes(now) {
  keyed(
    $("notes"),
    notesOf(now),
    (note) => note.key,
    (note) => element("li", {}, element("span", {}), element("a", { href: note.href }, "Show")),
    (child, note) => {
      child.className = note.tone;
      say(child.firstElementChild, note.text);
    },
  );
}

// Incidents

function makeIncident() {
  const summary = element("summary", {}, element("span", { class: "pill" }), element("span", {}, element("b", {}), element("small", {})), element("span", { class: "pill plain status" }), element("span", { class: "at" }));
  const body = element("div", {}, element("h3", {}, "Says"), element("dl", { class: "pairs" }), element("h3", {}, "Rests on"), element("table", { class: "stack" }), element("p", { class: "hint" }));
  return element("details", {}, summary, body);
}

function updateIncident(child, incident, now) {
  const [pill, what, status, at] = child.firstElementChild.children;
  pill.className = `pill ${band(incident.severity)}`;
  pill.title = `Severity ${incident.severity} of 10`;
  say(pill, incident.severity);
  say(what.children[0], incident.title || incident.rule_name);
  say(what.children[1], `${incident.rule_name} · ${many(incident.event_count, "event", "events")}`);
  say(status, incident.status);
  when(at, incident.published, now);
  const key = `${incident.incident_id}:${incident.revision}`;
  if (child.dataset.shows === key) {
    return;
  }
  child.dataset.shows = key;
  const [, says, , table, hint] = child.lastElementChild.children;
  const attributes = Object.entries(incident.attributes).map(([name, value]) => [name, value === null ? "–" : value]);
  pairs(says, [
    ...attributes,
    ["First event", utc(incident.first_seen)],
    ["Last event", utc(incident.last_seen)],
    ["Rule", incident.rule_id],
    ["Attack", [...incident.tactics, ...incident.techniques].join(" ") || "–"],
    ["Incident", incident.incident_id],
    ["Revision", incident.revision + (incident.close_reason === null ? "" : `, ${incident.close_reason}`)],
  ]);
  showEvidence(table, incident.evidence);
  const left = incident.evidence_total - incident.evidence.length;
  say(hint, left > 0 ? `${many(left, "more event", "more events")} in the incident itself.` : "");
}

function showEvidence(table, evidence) {
  const columns = ["When", "Pattern", "Event type", "Where", "Resource"];
  const head = element("tr", {}, ...columns.map((name) => element("th", { scope: "col" }, name)));
  const rows = evidence.map((event) => {
    const where = `${event.topic}/${event.partition} offset ${event.offset} record ${event.index}`;
    const texts = [utc(event.time), event.pattern, event.event_type ?? "–", where, event.resource_id ?? "–"];
    return element("tr", {}, ...texts.map((text, column) => element("td", { "data-is": columns[column] }, seen(text))));
  });
  table.replaceChildren(element("thead", {}, head), element("tbody", {}, ...rows));
}

function showIncidents(now) {
  const all = now.incidents;
  say($("incidents-hint"), all.length === 0 ? "" : "Published by this worker since it started, each as it was last said. Open one for its evidence.");
  const items = all.length === 0 ? [null] : all;
  keyed(
    $("incident-list"),
    items,
    (item) => (item === null ? "none" : item.incident_id),
    (item) => (item === null ? element("p", { class: "empty" }, "This worker has published no incident since it started.") : makeIncident()),
    (child, item) => item === null || updateIncident(child, item, now.now),
  );
}

// Rules

const found = (rule) => rule.incidents.OPEN;
const dataSeen = (rule) => Math.max(...rule.patterns.map((pattern) => pattern.data_last_seen ?? -Infinity));
const cost = (rule) => rule.filter_seconds + (rule.fold_seconds ?? 0);
const SORTS = { name: (rule) => rule.name.toLowerCase(), severity: (rule) => rule.severity, found, matches: (rule) => rule.matches, data: dataSeen, cost };

let order = { by: "found", down: true };
let last = null;

function sorted(rules) {
  const value = SORTS[order.by];
  const sign = order.down ? -1 : 1;
  const words = $("find").value.trim().toLowerCase();
  const wanted = rules.filter((rule) => `${rule.name} ${rule.id}`.toLowerCase().includes(words));
  return wanted.sort((a, b) => {
    const [one, other] = [value(a), value(b)];
    return one === other ? (a.name < b.name ? -1 : 1) : one < other ? -sign : sign;
  });
}

function makeRule(rule) {
  const button = element("button", { type: "button", class: "rule", "aria-expanded": "false" });
  const row = element("tr", {}, element("th", { scope: "row" }, button, element("small", {})));
  for (const [name, style] of [["Severity", "n"], ["Incidents", "n"], ["Matches", "n"], ["Data last seen", ""], ["Cost", "n"]]) {
    row.append(element("td", { class: style, "data-is": name }));
  }
  row.children[1].append(element("span", { class: "pill" }));
  row.children[5].append(element("span", {}), bar(0, 1));
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    showRules(last);
  });
  return row;
}

function updateRule(row, rule, now, most) {
  const [name, severity, incidents, matches, data, costs] = row.children;
  say(name.firstElementChild, rule.name);
  say(name.lastElementChild, rule.id);
  const pill = severity.firstElementChild;
  pill.className = `pill ${band(rule.severity)}`;
  say(pill, rule.severity);
  say(incidents, count(found(rule)));
  say(matches, count(rule.matches));
  updateSeen(data, rule, now);
  say(costs.firstElementChild, took(cost(rule)));
  lengthen(costs.lastElementChild, cost(rule), most);
}

function updateSeen(cell, rule, now) {
  const seenAt = dataSeen(rule);
  const [one, unseen] = [unseenPatterns(rule).length, rule.patterns.length];
  const state = seenAt === -Infinity ? "none" : "some";
  if (cell.dataset.state !== state) {
    cell.dataset.state = state;
    cell.replaceChildren();
  }
  if (state === "none") {
    const unknown = now.validate !== "all";
    cell.replaceChildren(element("span", { class: unknown ? "quiet" : "none" }, unknown ? "not known" : "never"));
    return;
  }
  when(cell, seenAt, now.now);
  const text = one > 0 && now.validate === "all" ? `none for ${one} of ${unseen} patterns` : "";
  const small = cell.querySelector("small") ?? cell.appendChild(element("small", { class: "none" }));
  say(small, text);
}

function moreOf(rule, now) {
  const { incidents } = rule;
  const entries = [
    ["Incidents said", `${count(incidents.OPEN)} opened, ${count(incidents.UPDATED)} updated, ${count(incidents.CLOSED)} closed, ${count(incidents.RETRACTED)} retracted`],
    ["Last said", rule.last_said === null ? "not since the start" : ago(rule.last_said, now.now)],
    ["Last match", rule.last_match === null ? "none since the start" : `${utc(rule.last_match)}`],
    ["Evaluated through", rule.evaluated_through === null ? "not known yet" : utc(rule.evaluated_through)],
    ["Window", span(rule.window_seconds)],
    ["Time in filters", took(rule.filter_seconds)],
  ];
  if (rule.fold_seconds !== undefined) {
    entries.push(["Time in correlation", took(rule.fold_seconds)]);
  }
  for (const pattern of rule.patterns) {
    const none = now.validate === "all" ? "none has come since the start" : "not known: messages are passed over";
    entries.push([`Data for ${pattern.name}`, pattern.data_last_seen === null ? none : `${ago(pattern.data_last_seen, now.now)}, ${utc(pattern.data_last_seen)}`]);
  }
  return entries;
}

function showRules(now) {
  const { rules } = now;
  const most = Math.max(...rules.listed.map(cost), 0);
  const open = new Set([...document.querySelectorAll(".rule[aria-expanded='true']")].map((button) => button.closest("tr").dataset.key));
  const rows = sorted(rules.listed).flatMap((rule) => (open.has(rule.id) ? [{ rule }, { rule, more: true }] : [{ rule }]));
  keyed(
    $("rule-list"),
    rows,
    ({ rule, more }) => (more ? `more ${rule.id}` : rule.id),
    ({ rule, more }) => (more ? element("tr", { class: "more" }, element("td", { colspan: "6" }, element("dl", { class: "pairs" }))) : makeRule(rule)),
    (row, { rule, more }) => (more ? pairs(row.firstElementChild.firstElementChild, moreOf(rule, now)) : updateRule(row, rule, now, most)),
  );
  const { plan } = now;
  const listed = rules.listed.length < rules.total ? `, the first ${rules.listed.length} of them here` : "";
  const since = plan.since === null ? "" : `, in use for ${span((now.now - plan.since) / 1000)}`;
  say($("rules-hint"), `${many(rules.total, "rule", "rules")}${listed}${since}. Cost is processor time since the worker started, from samples.`);
  for (const head of document.querySelectorAll("[data-sort]")) {
    if (head.dataset.sort === order.by) {
      head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
    } else {
      head.removeAttribute("aria-sort");
    }
  }
}

// Progress

function showProgress(now) {
  const { progress, sources } = now;
  const held = progress.held_back_by;
  say($("progress-hint"), held === null ? "Nothing holds event time back." : `Event time goes by ${place(held)}: no other partition is further behind.`);
  const rebuilding = progress.rebuilding;
  const entries = [
    ["Event time has come to", progress.watermark === null ? "not known yet" : `${utc(progress.watermark)}, ${span(Math.max(progress.watermark_delay_seconds, 0))} ago`],
    ["Held back by", held === null ? "nothing" : `${place(held)}, at ${held.time === null ? "no time yet" : utc(held.time)}`],
    ["Matches to be folded", progress.matches_lag === null ? "–" : count(progress.matches_lag)],
    ["Folded again", rebuilding === null ? "all" : `${count(rebuilding.offsets - rebuilding.offsets_left)} of ${count(rebuilding.offsets)} offsets`],
  ];
  pairs($("steps"), entries);
  const most = Math.max(...sources.listed.map((one) => one.lag), 0);
  const shown = sources.listed.filter((one) => one.lag > 0 || (held !== null && place(held) === place(one)));
  $("partition-list").closest("table").hidden = shown.length === 0;
  const done = sources.total - shown.length;
  say($("partitions-done"), done > 0 ? `${many(done, "partition has", "partitions have")} nothing left to be read.` : "");
  keyed(
    $("partition-list"),
    shown,
    place,
    (one) => element("tr", {}, element("td", {}, element("span", {}, seen(place(one))), element("span", { class: "pill medium" })), element("td", { class: "n", "data-is": "Messages to read" }), element("td", { class: "wide" }, bar(0, 1))),
    (row, one) => {
      const holds = held !== null && place(held) === place(one);
      const pill = row.children[0].lastElementChild;
      pill.hidden = !holds;
      say(pill, "holds time back");
      say(row.children[1], count(one.lag));
      lengthen(row.children[2].firstElementChild, one.lag, most);
    },
  );
}

// Losses

const LOSSES = [
  ["late", "Late matches", "Further behind the watermark than lateness: they do not correct anything any more."],
  ["repeated", "Repeated matches", "Read a second time, and left out."],
  ["future", "Records from the future", "Their time is taken to be that of their message."],
  ["unrecognised", "Unrecognised records", "Nothing but a time is known of them."],
  ["partly_matched", "Partly looked at", "A value was so long that a regular expression saw its beginning only."],
  ["many_values", "Records with many values", "More values than groups and keys count."],
  ["unmended", "Unmended records", "Their message had asked for too much mending."],
  ["values_hidden", "Values hidden", "Nested too deep in a text that was read as JSON."],
  ["values_cut", "Values cut", "Too long for a match; they stay different."],
  ["capped", "Windows capped", "More different values than are counted exactly."],
  ["evidence_full", "Evidence full", "Publications that name fewer events than they rest on."],
  ["truncated", "Incidents truncated", "Publications of which something is cut to fit a message."],
  ["not_ours", "Foreign messages", "In the matches topic, and written by no worker."],
  ["rules_entries_refused", "Foreign rules entries", "In the rules topic, and written by no worker."],
  ["sources_replaced", "Sources replaced", "A source partition was found to be another log."],
  ["perhaps_again", "Perhaps read again", "Messages that may have been read of the log before."],
  ["recoveries", "Work done again", "A commit did not come about, and nothing was lost."],
  ["passed_over", "Messages passed over", "No record of theirs can match (validate = matching)."],
];

function showLosses(now) {
  const refused = Object.entries(now.counts.dead_letters).map(([reason, number]) => [reason, `Refused: ${reason}`, number, "See watchfire dead-letters tail."]);
  const others = LOSSES.map(([key, name, about]) => [key, name, now.counts[key], about]);
  const there = [...refused, ...others].filter(([, , number]) => number > 0);
  const none = others.filter(([, , number]) => number === 0).map(([, name]) => name.toLowerCase());
  keyed(
    $("loss-list"),
    there,
    ([key]) => key,
    ([, name]) => element("tr", {}, element("th", { scope: "row" }, seen(name)), element("td", { class: "n", "data-is": "How many" }), element("td", {})),
    (row, [, , number, about]) => {
      say(row.children[1], count(number));
      say(row.children[2], about);
    },
  );
  say($("loss-none"), none.length === 0 ? "" : `None of: ${none.join(", ")}.`);
}

// History, data, group

const TROUBLES = {
  not_running: "No worker ran here",
  brokers_away: "No broker answered",
  refused: "Records were refused",
  source_replaced: "A source was replaced",
  done_again: "A commit failed; its work was done again",
  rules_refused: "Changed rules were refused",
};

function showHistory(now) {
  const items = now.history.length === 0 ? [null] : now.history;
  keyed(
    $("trouble-list"),
    items,
    (item) => (item === null ? "none" : `${item.trouble} ${item.about} ${item.from}`),
    (item) => (item === null ? element("li", { class: "empty" }, "Nothing went wrong, as far as is known.") : element("li", { class: item.trouble }, element("b", {}), element("small", {}), element("small", {}))),
    (child, item) => {
      if (item === null) {
        return;
      }
      const lasted = item.to > item.from ? ` for ${span((item.to - item.from) / 1000)}` : "";
      const times = item.count > 1 ? `, ${count(item.count)} times` : "";
      const about = item.about === "" ? "" : `: ${item.about}`;
      say(child.children[0], `${TROUBLES[item.trouble] ?? item.trouble}${about}`);
      say(child.children[1], `${utc(item.from)}${lasted}${times}`);
      say(child.children[2], item.first);
    },
  );
}

function showData(now) {
  const { data, validate } = now;
  const more = data.total > data.listed.length ? ` Those that came last are here, of ${count(data.total)}.` : "";
  const others = data.others > 0 ? ` ${many(data.others, "event is", "events are")} of kinds that are not told apart.` : "";
  const unknown = validate === "all" ? "" : " Messages that are passed over are not in it: what they held is not known.";
  say($("data-hint"), `What kinds of events have come since the worker started, and how many rules ask for them.${more}${others}${unknown}`);
  keyed(
    $("kind-list"),
    data.listed,
    (kind) => JSON.stringify([kind.event_type, kind.category]),
    (kind) =>
      element("tr", {}, element("th", { scope: "row" }, seen(kind.event_type ?? "none")), element("td", { "data-is": "Category" }, seen(kind.category ?? "–")), element("td", { class: "n", "data-is": "Events" }), element("td", { class: "n", "data-is": "Rules" }), element("td", { "data-is": "Last seen" })),
    (row, kind) => {
      say(row.children[2], count(kind.events));
      say(row.children[3], kind.rules === 0 ? "–" : count(kind.rules));
      when(row.children[4], kind.latest, now.now);
    },
  );
}

function showGroup(now) {
  const { group, plan } = now;
  const known = group.members !== null;
  const who = known ? `${many(group.total, "worker reads", "workers read")} the sources together.` : group.problem === null ? "The brokers are being asked." : `The brokers do not say who is in the group: ${group.problem}.`;
  const plans = plan.others.length > 0 ? ` Some use other rules: plan ${plan.others.join(", ")}; this one has ${plan.hash}.` : "";
  say($("group-hint"), `${who}${plans}`);
  keyed(
    $("member-list"),
    known ? group.members : [],
    (member) => member.id,
    () => element("div", {}, element("div", {}, element("b", {}), element("span", { class: "pill" }), element("small", {})), element("div", {}, element("span", {}), element("small", {}))),
    (child, member) => {
      const [who, what] = child.children;
      say(who.children[0], member.host || "unknown host");
      who.children[1].hidden = !member.is_this;
      say(who.children[1], "this worker");
      say(who.children[2], member.id);
      say(what.children[0], many(member.count, "source partition", "source partitions"));
      const lists = Object.entries(member.partitions).map(([topic, numbers]) => `${topic} ${numbers.join(", ")}`);
      say(what.children[1], lists.join("; "));
    },
  );
}

// Asking

let token = sessionStorage.getItem("token") ?? "";
let paused = false;
let answered = null;

function show(now) {
  last = now;
  $("gate").hidden = true;
  $("all").hidden = false;
  document.title = `${(STATES[now.verdict.state] ?? ["", now.verdict.state])[1]} – ${seen(now.app)}`;
  say($("app"), now.app);
  say($("about"), `Watchfire ${now.version}, plan ${now.plan.hash ?? "none"}, started ${utc(now.started)}. All times are UTC. This page asks this worker alone.`);
  sample(now);
  for (const part of [showVerdict, showPace, showTiles, showNotes, showIncidents, showRules, showProgress, showLosses, showHistory, showData, showGroup]) {
    part(now);
  }
}

function askForToken() {
  const had = token !== "";
  $("all").hidden = true;
  $("gate").hidden = false;
  say($("wrong"), had ? "That is not the token." : "");
  token = "";
  sessionStorage.removeItem("token");
}

async function ask() {
  const headers = token === "" ? {} : { Authorization: `Bearer ${token}` };
  const answer = await fetch("status.json", { headers, cache: "no-store", signal: AbortSignal.timeout(10000) });
  if (answer.status === 401) {
    askForToken();
    return false;
  }
  if (!answer.ok) {
    throw new Error(`status ${answer.status}`);
  }
  show(await answer.json());
  return true;
}

function showFresh() {
  const lost = answered === null || Date.now() - answered > 3 * INTERVAL;
  document.body.className = paused ? "" : lost ? "is-lost" : "is-live";
  const since = answered === null ? "" : ` for ${span((Date.now() - answered) / 1000)}`;
  say($("fresh"), paused ? "Paused" : lost ? `No answer${since}` : "Live");
}

async function round() {
  let next = true;
  if (!paused && !document.hidden) {
    try {
      next = await ask();
      answered = Date.now();
    } catch (error) {
      // Shown below: the worker does not answer, or says what this page does not know.
      $("fresh").title = String(error);
    }
  }
  showFresh();
  if (next) {
    setTimeout(round, INTERVAL);
  }
}

$("gate").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  $("token").value = "";
  sessionStorage.setItem("token", token);
  round();
});

$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  say($("pause"), paused ? "Go on" : "Pause");
  showFresh();
});

$("find").addEventListener("input", () => showRules(last));

for (const head of document.querySelectorAll("[data-sort]")) {
  head.firstElementChild.addEventListener("click", () => {
    const by = head.dataset.sort;
    order = { by, down: order.by === by ? !order.down : by !== "name" };
    showRules(last);
  });
}

round();
