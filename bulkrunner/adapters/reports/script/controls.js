// What stands above the list, and how all of it is put on the page.

list.select = function (name, label, options) {
  const select = make("select", { id: `by-${name}` }, make("option", { value: "-1" }, say("ui_any")),
    options.map(([value, text]) => make("option", { value }, text)));
  select.value = String(this.wanted[name]);
  select.addEventListener("change", () => { this.wanted[name] = Number(select.value); this.update(); });
  return this.field(label, select);
};

list.field = function (label, control, name) {
  return make("span", { class: `field ${name || ""}` }, make("label", { for: control.id }, label), " ", control);
};

list.controls = function () {
  const focused = document.activeElement && this.bar.contains(document.activeElement) ? document.activeElement.id : "";
  const search = make("input", { id: "search", type: "search", autocomplete: "off", value: this.wanted.text });
  let waiting;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { this.wanted.text = search.value; this.update(); }, 80);
  });
  const jump = make("input", { id: "jump", autocomplete: "off", size: 18 });
  const go = make("form", { class: "jump" }, this.field(say("ui_jump"), jump), " ", make("button", { type: "submit" }, say("ui_go")));
  go.addEventListener("submit", (event) => { event.preventDefault(); this.jump(jump.value); });
  const all = make("input", { id: "print-all", type: "checkbox", checked: this.whole });
  all.addEventListener("change", () => { this.whole = all.checked; });
  const clear = make("button", { type: "button", id: "clear" }, say("ui_clear"));
  clear.addEventListener("click", () => { this.reset(); document.getElementById("search").focus(); });
  const nodes = [
    this.field(say("ui_search"), search, "search"),
    this.select("action", say("ui_action"), tables.used.actions.map((n) => [n, words().action[tables.actions[n]]])),
    tables.run ? this.select("outcome", say("ui_outcome"), tables.used.outcomes.map((n) => [n, words().outcome[tables.outcomes[n]]])) : null,
    tables.sigels.length > 1 ? this.select("sigel", say("table_sigel"), tables.sigels.map((sigel, n) => [n, sigelName(sigel)])) : null,
    tables.patterns.length > 1 ? this.select("pattern", say("ui_pattern"), tables.patterns.map((lines, n) => [n, lines[side()]])) : null,
    tables.reasons.length ? this.select("reason", say("ui_reason"), tables.reasons.map(([action, code], n) => [n, `${words().action[tables.actions[action]]}: ${told(code)[0] || explained(code)[0]}`])) : null,
    clear, go, this.field(say("ui_print_all"), all, "print"),
  ];
  this.bar.replaceChildren(...nodes.filter(Boolean));
  if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
};

list.header = function () {
  const cells = this.columns().map((name) => {
    const [column, way] = this.sort;
    const sorted = column === name ? (way > 0 ? "ascending" : "descending") : "none";
    const button = make("button", { type: "button", class: "sorter", "data-column": name }, say(`ui_col_${name}`), make("span", { "aria-hidden": "true" }, sorted === "none" ? "" : way > 0 ? " ▲" : " ▼"));
    button.addEventListener("click", () => {
      this.sort = column === name ? (way > 0 ? [name, -1] : ["order", 1]) : [name, 1];
      this.header();
      this.update();
      this.head.querySelector(`[data-column="${name}"]`).focus();
    });
    return make("div", { role: "columnheader", class: `cell c-${name}`, "aria-sort": sorted }, button);
  });
  this.head.replaceChildren(make("div", { role: "row", class: "row", "aria-rowindex": "1" }, cells));
};

list.build = function () {
  this.bar = make("div", { class: "controls", role: "search" });
  this.hits = make("output", { id: "hits", "aria-live": "polite" });
  this.head = make("div", { role: "rowgroup", class: "heads" });
  this.body = make("div", { class: "rows", role: "presentation" });
  this.scroller = make("div", { class: "scroller", role: "presentation" }, this.body);
  this.grid = make("div", { role: "table", class: tables.run ? "grid with-run" : "grid", id: "grid", "aria-colcount": this.columns().length }, this.head, this.scroller);
  this.printed = make("div", { class: "printed" });
  const place = document.getElementById("list");
  place.replaceChildren(this.bar, make("p", { class: "hits" }, this.hits), this.grid, this.printed);
  place.hidden = false;
  this.body.addEventListener("click", (event) => {
    const node = event.target.closest(".item");
    if (!node || event.target.closest("a, .detail") || String(window.getSelection())) return;
    this.active = Number(node.dataset.index);
    this.toggle(this.rows[this.active]);
    this.paint();
    node.querySelector("button.toggle").focus({ preventScroll: true });
  });
  this.grid.addEventListener("keydown", (event) => { if (event.target.closest(".toggle")) this.keys(event); });
};

list.relabel = function () {
  this.grid.setAttribute("aria-label", say("changes_title"));
  this.controls();
  this.header();
  for (const node of this.nodes.values()) node.remove();
  this.nodes.clear();
  this.refresh();
  this.tell();
};

// Paper has no list to scroll: where it is asked for, the first rows of what is shown are laid out whole.
list.print = function () {
  if (!this.whole) {
    this.printed.replaceChildren(make("p", { class: "printed-intro" }, say("ui_printed_none")));
    return;
  }
  const rows = this.rows.slice(0, PRINTED), known = new Map();
  const items = rows.map((row) => {
    const head = store.heads[row];
    const heading = make("h4", {}, make("span", { class: "no" }, count(head[HEAD.number])), " ", this.cell(head, "action"), " ", tables.run ? this.cell(head, "outcome") : "", " ", this.title(head), " ", make("code", {}, head[HEAD.record]));
    return make("article", { class: "change" }, heading, detailNodes(head, detailNow(row, known)));
  });
  const n = count(rows.length), total = count(this.rows.length);
  const intro = rows.length < this.rows.length ? say("ui_printed_some", { n, total }) : say("ui_printed_all", { n });
  this.printed.replaceChildren(make("p", { class: "printed-intro" }, intro), ...items);
};
