// The list of every change: filter, sort, search, jump; only the rows in sight are in the document.

const ROW = 46;
const PRINTED = 1000;
const collator = new Intl.Collator("sv", { numeric: true });

const NOTHING_WANTED = { text: "", action: -1, outcome: -1, sigel: -1, pattern: -1, reason: -1 };

const list = {
  rows: [], open: new Set(), active: 0, whole: false, sort: ["order", 1], ranks: {}, nodes: new Map(),
  wanted: { ...NOTHING_WANTED },
};

const COLUMNS = ["number", "action", "outcome", "title", "sigel", "change", "record"];

list.columns = function () { return COLUMNS.filter((name) => name !== "outcome" || tables.run); };

// --- which rows, in which order ---------------------------------------------------------------

list.sift = function () {
  const { action, outcome, sigel, pattern, reason } = this.wanted;
  const [reasonAction, reasonCode] = reason >= 0 ? tables.reasons[reason] : [];
  const needles = foldable(this.wanted.text).split(/\s+/).filter(Boolean);
  const rows = [];
  for (let row = 0; row < store.heads.length; row += 1) {
    const head = store.heads[row];
    if (action >= 0 && head[HEAD.action] !== action) continue;
    if (outcome >= 0 && head[HEAD.outcome] !== outcome) continue;
    if (sigel >= 0 && head[HEAD.sigel] !== sigel) continue;
    if (pattern >= 0 && head[HEAD.pattern] !== pattern) continue;
    if (reason >= 0 && (head[HEAD.action] !== reasonAction || head[HEAD.code] !== reasonCode)) continue;
    const hay = store.hay[row];
    if (needles.every((needle) => hay.includes(needle))) rows.push(row);
  }
  this.rows = this.sorted(rows);
};

list.value = function (row, column) {
  const head = store.heads[row];
  switch (column) {
    case "number": return head[HEAD.number];
    case "action": return head[HEAD.action];
    case "outcome": return head[HEAD.outcome];
    case "sigel": return sigelOf(head);
    case "change": return `${head.length > HEAD.place ? placeNames(head[HEAD.place])[1 + side()] : ""} ${plainValue(head[HEAD.before])} ${plainValue(head[HEAD.after])}`;
    case "record": return head[HEAD.record];
    default: return `${head[HEAD.title]} ${head[HEAD.author]}`;
  }
};

list.rank = function (column) {
  const key = column === "change" ? `${column} ${page.lang}` : column;
  if (this.ranks[key] && this.ranks[key].length === store.heads.length) return this.ranks[key];
  const values = store.heads.map((_, row) => this.value(row, column));
  const order = values.map((_, row) => row);
  const compare = typeof values[0] === "number" ? (a, b) => values[a] - values[b] : (a, b) => collator.compare(values[a], values[b]);
  order.sort((a, b) => compare(a, b) || a - b);
  const rank = new Float64Array(order.length);
  let place = 0;
  order.forEach((row, index) => {
    if (index && compare(order[index - 1], row)) place += 1;
    rank[row] = place;
  });
  this.ranks[key] = rank;
  return rank;
};

list.sorted = function (rows) {
  const [column, way] = this.sort;
  if (column === "order") return way > 0 ? rows : rows.reverse();
  const rank = this.rank(column);
  return rows.sort((a, b) => way * (rank[a] - rank[b]) || a - b);
};

list.update = function ({ keep = false } = {}) {
  this.sift();
  if (!keep) {
    this.active = 0;
    if (this.scroller.scrollTop) this.scroller.scrollTop = 0;
  }
  this.refresh();
  this.tell();
};

list.tell = function () {
  const total = store.heads.length;
  const loading = store.done ? "" : ` ${say("ui_loading")}`;
  this.hits.textContent = (this.rows.length === total ? say("ui_all", { n: count(total) }) : say("ui_hits", { n: count(this.rows.length), total: count(total) })) + loading + (this.wanted.text && tables.cut ? ` · ${say("ui_search_cut", { n: count(tables.cut) })}` : "");
};

// --- the rows in sight ------------------------------------------------------------------------

list.begin = function () {
  this.virtual = new Vendor.Virtualizer(this.options());
  this.virtual._didMount();
  this.virtual._willUpdate();
};

list.options = function () {
  return {
    count: this.rows.length,
    getScrollElement: () => this.scroller,
    estimateSize: (index) => (this.open.has(this.rows[index]) ? 260 : ROW),
    getItemKey: (index) => this.rows[index],
    observeElementRect: Vendor.observeElementRect,
    observeElementOffset: Vendor.observeElementOffset,
    scrollToFn: Vendor.elementScroll,
    overscan: 6,
    onChange: () => this.paint(),
  };
};

list.refresh = function () {
  if (!this.virtual) return;
  this.virtual.setOptions(this.options());
  this.virtual._willUpdate();
  this.virtual.measure();
  this.paint();
};

list.paint = function () {
  const items = this.virtual.getVirtualItems();
  this.body.style.height = `${this.virtual.getTotalSize()}px`;
  this.head.style.paddingRight = `${this.scroller.offsetWidth - this.scroller.clientWidth}px`;
  this.grid.setAttribute("aria-rowcount", String(this.rows.length + 1));
  const seen = new Set();
  for (const item of items) {
    const row = this.rows[item.index];
    if (row === undefined) continue;
    seen.add(row);
    const node = this.nodeOf(row, item.index);
    node.style.transform = `translateY(${item.start}px)`;
  }
  for (const [row, node] of this.nodes) {
    if (!seen.has(row)) { node.remove(); this.nodes.delete(row); }
  }
};

list.nodeOf = function (row, index) {
  let node = this.nodes.get(row);
  if (!node) {
    node = this.made(row);
    this.nodes.set(row, node);
    this.body.append(node);
  }
  node.dataset.index = String(index);
  node.firstChild.setAttribute("aria-rowindex", String(index + 2));
  const button = node.querySelector("button.toggle");
  button.tabIndex = index === this.active ? 0 : -1;
  this.virtual.measureElement(node);
  return node;
};

list.made = function (row) {
  const head = store.heads[row];
  const cells = this.columns().map((name) => make("div", { role: "cell", class: `cell c-${name}` }, this.cell(head, name)));
  const node = make("div", { role: "rowgroup", class: "item" }, make("div", { role: "row", class: "row" }, cells));
  if (this.open.has(row)) this.unfold(row, node);
  return node;
};

list.cell = function (head, name) {
  const action = tables.actions[head[HEAD.action]];
  switch (name) {
    case "number": return make("button", { type: "button", class: "toggle", "aria-expanded": "false", "aria-label": say("ui_toggle", { n: head[HEAD.number] }) }, count(head[HEAD.number]));
    case "action": return make("span", { class: `tag ${action}` }, words().action[action]);
    case "outcome": return head[HEAD.outcome] < 0 ? "" : make("span", { class: `tag out ${tables.outcomes[head[HEAD.outcome]]}` }, words().outcome[tables.outcomes[head[HEAD.outcome]]]);
    case "title": return this.title(head);
    case "sigel": {
      const sigel = sigelOf(head);
      return [make("b", { class: "sigel" }, sigel), " ", make("span", { class: "dim" }, tables.libraries[sigel] || "")];
    }
    case "change": return this.summary(head, action);
    default: return make("code", {}, recordLink(tables.base, head[HEAD.record], head[HEAD.record]));
  }
};

list.title = function (head) {
  if (!head[HEAD.title] && !head[HEAD.author]) return make("cite", { class: "dim" }, say("no_bib"));
  const by = [head[HEAD.author], head[HEAD.year]].filter(Boolean).join(" · ");
  return [make("cite", { dir: "auto" }, head[HEAD.title] || say("no_bib")), " ", make("span", { class: "by", dir: "auto" }, by)];
};

list.summary = function (head, action) {
  if (action !== "update" && tables.joint[head[HEAD.pattern]]) return tables.patterns[head[HEAD.pattern]][side()];
  if (head.length <= HEAD.place) {
    const code = explained(head[HEAD.code]);
    return code && code[0] ? make("span", { class: "dim" }, told(head[HEAD.code])[0] || code[0]) : "";
  }
  const name = placeNames(head[HEAD.place])[1 + side()];
  const before = plainValue(head[HEAD.before]), after = plainValue(head[HEAD.after]);
  const parts = [make("span", { class: "dim" }, `${name}: `)];
  if (head[HEAD.kind] !== 1) parts.push(make("bdi", { class: "gone" }, shortLink(before)));
  if (action === "update") parts.push(" → ");
  if (head[HEAD.kind] !== 2) parts.push(make("bdi", { class: "come" }, shortLink(after)));
  const further = head[HEAD.further];
  if (further) parts.push(" ", make("span", { class: "further" }, say("s_more", { n: count(further) })));
  return parts;
};

// --- opening and moving -----------------------------------------------------------------------

list.unfold = function (row, node) {
  const head = store.heads[row];
  const button = node.querySelector("button.toggle");
  button.setAttribute("aria-expanded", "true");
  node.classList.add("open");
  const cell = make("div", { role: "cell", class: "detail", "aria-colspan": this.columns().length });
  node.append(make("div", { role: "row" }, cell));
  detailOf(row).then((detail) => {
    cell.append(...detailNodes(head, detail));
    if (node.isConnected) this.virtual.measureElement(node);
  });
};

list.toggle = function (row, want) {
  const node = this.nodes.get(row);
  const isOpen = this.open.has(row);
  if (want === isOpen) return;
  if (isOpen) this.open.delete(row);
  else this.open.add(row);
  if (!node) return;
  if (isOpen) {
    node.lastChild.remove();
    node.classList.remove("open");
    node.querySelector("button.toggle").setAttribute("aria-expanded", "false");
  } else this.unfold(row, node);
  this.virtual.measureElement(node);
};

list.focus = function (index) {
  if (!this.rows.length) return;
  this.active = Math.max(0, Math.min(this.rows.length - 1, index));
  this.virtual.scrollToIndex(this.active, { align: "auto" });
  const seize = (left) => {
    this.paint();
    const node = this.nodes.get(this.rows[this.active]);
    if (node) node.querySelector("button.toggle").focus({ preventScroll: true });
    else if (left) requestAnimationFrame(() => seize(left - 1));
  };
  seize(20);
};

list.jump = function (text) {
  const wanted = foldable(text.trim()).split("/").pop().replace(/#it$/, "");
  if (!wanted) return;
  const number = Number(wanted.split(".").pop());
  let row = store.heads.findIndex((head) => head[HEAD.record] === wanted);
  if (row < 0) row = store.heads.findIndex((head) => head[HEAD.number] === number);
  if (row < 0) row = store.heads.findIndex((head) => head[HEAD.record].startsWith(wanted));
  if (row < 0) { this.hits.textContent = say("ui_no_such", { text: text.trim().slice(0, 60) }); return; }
  if (!this.rows.includes(row)) this.reset();
  this.toggle(row, true);
  this.grid.scrollIntoView({ block: "nearest" });
  this.focus(this.rows.indexOf(row));
};

list.reset = function () {
  this.wanted = { ...NOTHING_WANTED };
  this.controls();
  this.update();
};

list.keys = function (event) {
  const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
  if (step) this.focus(this.active + step);
  else if (event.key === "Home") this.focus(0);
  else if (event.key === "End") this.focus(this.rows.length - 1);
  else return;
  event.preventDefault();
};
