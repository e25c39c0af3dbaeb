"use strict";

// Texts of the data become text nodes and attribute values, never markup.

/** An element with attributes and children; a child is a node or a text. */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** A value as it is shown: of a text, what cannot be seen is written as JSON has it. */
function seen(value) {
  if (typeof value !== "string") {
    return value;
  }
  const code = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  const unseen = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u3164\uffa0]/gu;
  return value.replace(unseen, (one) => one.split("").map(code).join(""));
}

// Rules

/** Puts a button into each column's head. */
function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = element("button", { type: "button" }, ...head.childNodes);
    const hasNumbers = head.classList.contains("n");
    button.addEventListener("click", () => {
      const [first, second] = hasNumbers ? ["descending", "ascending"] : ["ascending", "descending"];
      const order = head.getAttribute("aria-sort") === first ? second : first;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const value = hasNumbers ? numberIn : (cell) => cell.textContent;
      sortRows(table.tBodies[0], order, (row) => value(row.cells[column]));
    });
    head.append(button);
  });
}

/** Rows without a value come last in either order. */
function sortRows(body, order, valueOf) {
  const sign = order === "ascending" ? 1 : -1;
  const rows = [...body.rows].map((row) => ({ row, value: valueOf(row) }));
  rows.sort((a, b) => {
    if (a.value === null || b.value === null) {
      return (a.value === null) - (b.value === null);
    }
    return a.value === b.value ? 0 : a.value < b.value ? -sign : sign;
  });
  body.append(...rows.map(({ row }) => row));
}

function numberIn(cell) {
  const value = Number(cell.dataset.value ?? cell.textContent);
  return Number.isNaN(value) ? null : value;
}

// Incidents

/** `2026-03-01 09:15:02`, of `2026-03-01T09:15:02.000Z`. */
function moment(text, length) {
  return text.slice(0, length).replace("T", " ");
}

function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

function level(incident) {
  const band = incident.severity_band;
  const word = band[0] + band.slice(1).toLowerCase();
  return element("span", { class: `level ${band}` }, `${word} ${incident.severity}`);
}

/** The closed entry of an incident; its body is made when it is first opened. */
function entry(incident, topics) {
  const title = element("span", { class: "title" }, incident.title, " ");
  title.append(element("small", {}, incident.rule_name));
  const events = counted(incident.event_count, "event");
  const summary = element(
    "summary",
    {},
    element("span", {}, level(incident)),
    element("time", { datetime: incident.first_seen }, moment(incident.first_seen, 19)),
    title,
    element("span", { class: "events" }, events),
  );
  const made = element("details", { id: `incident-${incident.incident_id}` }, summary);
  made.addEventListener("toggle", () => {
    if (made.open && made.childElementCount === 1) {
      made.append(body(incident, topics));
    }
  });
  return made;
}

function body(incident, topics) {
  const made = element("div", { class: "body" });
  made.append(element("div", { class: "facts" }, list(when(incident)), list(what(incident))));
  const attributes = Object.entries(incident.attributes);
  if (attributes.length > 0) {
    made.append(element("h3", {}, "Attributes"), list(attributes));
  }
  const named = incident.evidence.length;
  const rest = incident.event_count > named ? `, the first of ${incident.event_count}` : "";
  made.append(element("h3", {}, `Evidence: ${counted(named, "event")}${rest}`));
  made.append(evidence(incident, topics));
  return made;
}

function when(incident) {
  return [
    ["First seen", `${moment(incident.first_seen, 19)} UTC`],
    ["Last seen", `${moment(incident.last_seen, 19)} UTC`],
    ["Window", counted(incident.window_ms / 1000, "second")],
    ["Triggers", incident.trigger_count],
    ["Closed by", closing(incident)],
    ["Incident", link(incident)],
    ...(incident.truncated ? [["Cut", "long values, or what would have made it too large"]] : []),
  ];
}

function closing(incident) {
  const reason = (incident.close_reason ?? "nothing").toLowerCase().replaceAll("_", " ");
  return incident.late ? `${reason}; found apart, from late events` : reason;
}

function link(incident) {
  return element("a", { href: `#incident-${incident.incident_id}` }, incident.incident_id);
}

function what(incident) {
  const kind = [incident.category, incident.subcategory].filter((word) => word !== "");
  return [
    ["Rule", `${incident.rule_name} (${incident.rule_id})`],
    ["Fingerprint", incident.rule_fingerprint],
    ["Category", kind.join(" / ")],
    ["Impacts", incident.impacts],
    ["ATT&CK", [...incident.tactics, ...incident.techniques].join(", ")],
  ];
}

/** Names and values; what has no value is shown as that. */
function list(pairs) {
  const made = element("dl", {});
  for (const [name, value] of pairs) {
    const isNode = value instanceof Node;
    const shown = isNode ? value : value === null || value === "" ? "–" : String(value);
    made.append(element("dt", {}, name), element("dd", {}, shown));
  }
  return made;
}

function evidence(incident, topics) {
  const names = [
    "Pattern", "Time (UTC)", "Event type", "Place",
    "Correlation id", "Resource id", "Record hash",
  ];
  const head = element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)));
  const rows = incident.evidence.map((event) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, event.pattern),
      element("td", { class: "when" }, moment(event.time, 23)),
      element("td", {}, event.event_type ?? "–"),
      element("td", {}, place(event, topics)),
      element("td", { class: "id" }, event.correlation_id ?? "–"),
      element("td", { class: "id" }, event.resource_id ?? "–"),
      element("td", { class: "id" }, event.record_hash),
    ),
  );
  const label = `Evidence of ${incident.title}`;
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
  const around = { class: "scroll", role: "region", tabindex: "0", "aria-label": label };
  return element("div", around, table);
}

/** Where the record was read. The lines of a file count from 1 for people. */
function place(event, topics) {
  const where = topics.has(event.topic)
    ? `${event.topic} / ${event.partition} / ${event.offset}`
    : `${event.topic}:${event.offset + 1}`;
  return `${where}, record ${event.index}`;
}

// The list

const ORDERS = {
  severe: (a, b) => b.severity - a.severity || ORDERS.newest(a, b),
  newest: (a, b) => -ORDERS.oldest(a, b),
  oldest: (a, b) => (a.first_seen < b.first_seen ? -1 : a.first_seen > b.first_seen ? 1 : 0),
  events: (a, b) => b.event_count - a.event_count || ORDERS.newest(a, b),
};

/** All that the text filter looks at, in lower case. */
function searched(incident) {
  const places = incident.evidence.flatMap((event) => [
    event.topic, event.event_type, event.correlation_id, event.resource_id, event.record_hash,
  ]);
  const { incident_id, title, rule_id, rule_name, attributes } = incident;
  const texts = [incident_id, title, rule_id, rule_name, ...Object.values(attributes), ...places];
  return texts.join("\n").toLowerCase();
}

function showIncidents(data) {
  const topics = new Set(data.topics);
  const items = data.incidents.map((incident) => ({
    incident,
    shown: entry(incident, topics),
    text: searched(incident),
  }));
  const [rule, severity, text, order] = ["by-rule", "by-severity", "by-text", "order"].map(
    (id) => document.getElementById(id),
  );

  function filter() {
    const words = text.value.toLowerCase().split(/\s+/).filter((word) => word !== "");
    let count = 0;
    for (const item of items) {
      const fits = (rule.value === "" || item.incident.rule_id === rule.value)
        && (severity.value === "" || item.incident.severity_band === severity.value)
        && words.every((word) => item.text.includes(word));
      item.shown.hidden = !fits;
      count += fits ? 1 : 0;
    }
    const all = counted(items.length, "incident");
    const some = count === 0 ? `None of ${all} fits the filter.` : `${count} of ${all} shown.`;
    document.getElementById("shown").textContent = count === items.length ? `${all}.` : some;
  }

  function sort() {
    items.sort((a, b) => ORDERS[order.value](a.incident, b.incident));
    document.getElementById("list").append(...items.map((item) => item.shown));
  }

  /** Opens the incident that the address names, also if the filter hides it. */
  function follow() {
    const wanted = items.find((item) => `#${item.shown.id}` === location.hash);
    if (wanted === undefined) {
      return;
    }
    if (wanted.shown.hidden) {
      rule.value = severity.value = text.value = "";
      filter();
    }
    wanted.shown.open = true;
    wanted.shown.scrollIntoView();
    wanted.shown.querySelector("summary").focus({ preventScroll: true });
  }

  for (const control of [rule, severity, text]) {
    control.addEventListener("input", filter);
  }
  order.addEventListener("input", sort);
  window.addEventListener("hashchange", follow);
  // Before the page is loaded, the browser itself still looks for what the address names.
  window.addEventListener("load", follow);
  sort();
  filter();
  document.getElementById("filters").hidden = false;
}

document.querySelectorAll(".sortable table").forEach(makeSortable);
const data = document.getElementById("data");
if (data !== null) {
  showIncidents(JSON.parse(data.textContent, (_, value) => seen(value)));
}
