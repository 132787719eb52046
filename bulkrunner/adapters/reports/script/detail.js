// One change, opened: what names it, what differs, what came of it.

function sharedEnds(before, after) {
  const most = Math.min(before.length, after.length);
  let start = 0, end = 0;
  while (start < most && before[start] === after[start]) start += 1;
  while (end < most - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  return [start, end];
}

function shown(value, other) {
  if (value === null || value === undefined) return [];
  const [text, cut, link] = Array.isArray(value) ? value : [value, 0, 0];
  const tail = cut ? say("cut", { n: count(cut) }) : "";
  if (link || labelOf(text)) return [make("bdi", { class: "link", title: text }, shortLink(text)), tail];
  const against = other === null || other === undefined ? null : plainValue(other);
  if (against === null || against === text || text.length > 2000) return [make("bdi", {}, text), tail];
  const [start, end] = sharedEnds(text, against);
  if (start + end === 0) return [make("bdi", {}, text), tail];
  const middle = text.slice(start, text.length - end);
  return [make("bdi", {}, text.slice(0, start), middle ? make("mark", {}, middle) : "", text.slice(text.length - end)), tail];
}

function labelOf(text) { return Object.hasOwn(words().values, text) ? words().values[text] : null; }

function shortLink(iri) {
  if (labelOf(iri)) return labelOf(iri);
  for (const base of ["https://libris.kb.se/library/", "https://id.kb.se/"]) {
    if (iri.startsWith(base) && iri.length > base.length) {
      try { return decodeURIComponent(iri.slice(base.length).replace(/\+/g, " ")); } catch { return iri; }
    }
  }
  return iri;
}

function placeNames(number) {
  const found = entry(tables.places, number);
  return Array.isArray(found) ? found : [found, found, found];
}

function lineRow(line, action) {
  const [place, kind, before, after] = line;
  const names = placeNames(place);
  const head = make("th", { scope: "row" }, names[1 + side()], " ", make("small", {}, make("code", {}, names[0])));
  if (action === "delete") return make("tr", {}, head, make("td", { class: "was" }, shown(before)));
  if (action === "create") return make("tr", {}, head, make("td", { class: "now" }, shown(after)));
  const absent = () => make("span", { class: "dim" }, say("absent"));
  return make("tr", {}, head,
    make("td", { class: kind === 1 ? "" : "was" }, kind === 1 ? absent() : shown(before, kind === 0 ? after : null)),
    make("td", { class: kind === 2 ? "" : "now" }, kind === 2 ? absent() : shown(after, kind === 0 ? before : null)));
}

function diffTable(lines, action, more) {
  const single = action === "delete" || action === "create";
  const heads = single ? [say("place"), say(action === "delete" ? "content_deleted" : "content_created")] : [say("place"), say("before"), say("after")];
  const table = make("table", { class: `diff ${action}` },
    make("thead", {}, make("tr", {}, heads.map((text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, lines.map((line) => lineRow(line, action))));
  return [table, more ? make("p", { class: "dim" }, say("further_differences", { n: count(more) })) : ""];
}

function explained(code) { return entry(tables.codes, code); }

function told(code) {
  const found = explained(code);
  return Array.isArray(found) ? found[1 + side()] : [found, ""];
}

function recordLink(base, record, text) {
  return base && tables.id.test(record) ? make("a", { href: `${base}/${record}`, rel: "noreferrer noopener", target: "_blank" }, text) : record;
}

function jumpLink(number) {
  const link = make("a", { href: "#changes" }, String(number));
  link.addEventListener("click", (event) => { event.preventDefault(); list.jump(String(number)); });
  return link;
}

// A sentence of the program, in the page's language where it has been put into it.
function sentence(number) {
  const found = entry(tables.messages, number);
  const [text, lang] = Array.isArray(found) ? found[side()] : [found, "en"];
  return make("span", lang === page.lang ? {} : { lang }, text);
}

function spread(parts, mark) { return parts.flatMap((part, index) => (index ? [mark, part] : [part])); }

function factLines(head, extra) {
  const sigel = sigelOf(head);
  const record = head[HEAD.record];
  const facts = [];
  const links = [recordLink(extra.nolink ? "" : tables.base, record, say("ui_open_record", { record }))];
  if (extra.tried) {
    const [environment, run, base] = entry(tables.twins, extra.tried[0]);
    const outcome = words().outcome[tables.outcomes[extra.tried[2]]];
    const text = say("ui_tried", { environment, outcome, run });
    links.push(base ? recordLink(base, extra.tried[1], text) : text);
  }
  if (extra.bib) links.push(recordLink(tables.base, extra.bib, say("ui_open_bib", { record: extra.bib })));
  facts.push(make("p", { class: "links" }, spread(links, " · ")));
  if (sigel) facts.push(make("p", {}, make("b", { class: "sigel" }, sigel), " ", tables.libraries[sigel] || ""));
  if (extra.given) facts.push(make("p", { class: "dim" }, say("given_as"), " ", make("code", {}, make("bdi", {}, extra.given[0])), `, ${extra.given[1]}`));
  if (extra.inputs) facts.push(make("p", { class: "dim" }, `${say("ui_inputs")}: `, spread(extra.inputs.map(([given, place, code]) => [make("code", {}, make("bdi", {}, given)), `, ${place}`, told(code)[0] ? `: ${told(code)[0]}` : ""]), "; ").flat()));
  if (extra.after) facts.push(make("p", { class: "why" }, `${say("waits_for")}: `, spread(extra.after.map(jumpLink), ", ")));
  return facts;
}

function reasonLines(head, extra) {
  const lines = [];
  const code = explained(head[HEAD.code]);
  if (code && code[0] && !extra.code) {
    const [meaning, todo] = told(head[HEAD.code]);
    lines.push(make("p", { class: "why" }, meaning || code[0], " ", todo ? make("b", {}, todo) : ""));
  }
  if (extra.message !== undefined) lines.push(make("p", { class: "dim" }, sentence(extra.message)));
  for (const [number, text] of extra.notes || []) lines.push(make("p", { class: "why" }, told(number)[0] || "", " ", make("span", { class: "dim" }, sentence(text))));
  if (extra.cleanups) {
    const texts = extra.cleanups.map((number) => { const found = entry(tables.cleanups, number); return Array.isArray(found) ? found[side()] : found; });
    lines.push(make("p", { class: "why" }, `${say("also")}: ${texts.join("; ")}`));
  }
  return lines;
}

function byWhom(by, when) {
  if (!by) return "";
  return when ? say("by_when", { by, when: localTime(when) }) : say("by", { by });
}

function localTime(text) {
  const when = new Date(text);
  if (Number.isNaN(when.getTime())) return text;
  return new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short", timeZone: "Europe/Stockholm" }).format(when);
}

function resultLines(head, extra) {
  const lines = [];
  if (head[HEAD.outcome] < 0) return lines;
  const outcome = tables.outcomes[head[HEAD.outcome]];
  const when = extra.decided ? ` ${localTime(extra.decided)}` : "";
  const sends = extra.attempts ? `, ${say("ui_attempts", { n: extra.attempts })}` : "";
  lines.push(make("p", {}, make("span", { class: `tag out ${outcome}` }, words().outcome[outcome]), when + sends));
  if (extra.code !== undefined) {
    const [meaning, todo] = told(extra.code);
    lines.push(make("p", { class: "why" }, meaning || explained(extra.code)[0], " ", todo ? make("b", {}, todo) : ""));
  }
  for (const [number, by, at, listed] of extra.remarks || []) {
    const [meaning, todo] = told(number);
    lines.push(make("p", { class: "why" }, meaning || explained(number)[0], " ", byWhom(by, at), " ", listed.join(", "), " ", todo ? make("b", {}, todo) : ""));
  }
  if (extra.why !== undefined) lines.push(make("p", { class: "dim" }, sentence(extra.why)));
  if (extra.said) {
    const intro = extra.status ? say("server_said", { status: extra.status }) : say("server_said_only");
    lines.push(make("p", { class: "said" }, `${intro}: `, make("em", { lang: "en" }, make("bdi", {}, extra.said)), extra.error ? ` (${say("error_id", { id: extra.error })})` : ""));
  }
  return lines;
}

function detailNodes(head, detail) {
  const [lines, extra = {}] = detail;
  const action = tables.actions[head[HEAD.action]];
  const diff = lines.length ? diffTable(lines, action, extra.more) : action === "update" ? [make("p", { class: "dim" }, say("no_differences"))] : [];
  return [...factLines(head, extra), ...reasonLines(head, extra), ...resultLines(head, extra), ...diff.filter(Boolean)];
}
