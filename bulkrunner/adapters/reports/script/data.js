// The changes: blocks of deflated JSON, inflated one after the other so that the page never stalls.

const HEAD = { number: 0, action: 1, outcome: 2, record: 3, sigel: 4, title: 5, author: 6, year: 7, pattern: 8, code: 9, place: 10, kind: 11, before: 12, after: 13, further: 14, more: 15 };
const store = { heads: [], hay: [], details: new Map(), blocks: [], done: false };

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i += 1) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

async function inflated(node) {
  const bytes = bytesOf(node.textContent);
  if (typeof DecompressionStream === "undefined") {
    return Vendor.inflateSync(bytes, { out: new Uint8Array(Number(node.dataset.size)) });
  }
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function rowsOf(node) { return JSON.parse(new TextDecoder().decode(await inflated(node))); }

function plainValue(value) { return value === null || value === undefined ? "" : Array.isArray(value) ? value[0] : value; }

function sigelName(sigel) {
  if (sigel === tables.bibs) return say("sigel_bibs");
  return sigel ? `${sigel} ${tables.libraries[sigel] || ""}` : say("sigel_unknown");
}

// A bib has no sigel; what stands for it in the filter is shown nowhere else.
function sigelOf(head) {
  const sigel = entry(tables.sigels, head[HEAD.sigel]);
  return sigel === tables.bibs ? "" : sigel;
}

function hayOf(head) {
  const sigel = sigelOf(head);
  const library = tables.libraries[sigel] || "";
  return foldable([
    head[HEAD.record], head[HEAD.title], head[HEAD.author], head[HEAD.year], sigel, library,
    plainValue(head[HEAD.before]), plainValue(head[HEAD.after]), head[HEAD.more] || "", entry(tables.codes, head[HEAD.code])[0],
  ].join("\n"));
}

async function loadHeads(progress) {
  store.blocks = Array.from(document.querySelectorAll("script.detail"));
  for (const node of document.querySelectorAll("script.index")) {
    for (const head of await rowsOf(node)) {
      store.heads.push(head);
      store.hay.push(hayOf(head));
    }
    node.remove();
    progress();
  }
  store.done = true;
  progress();
}

async function detailOf(row) {
  const number = Math.floor(row / tables.rows);
  if (!store.details.has(number)) store.details.set(number, rowsOf(store.blocks[number]));
  return (await store.details.get(number))[row % tables.rows];
}

// The same at once, for paper: printing waits for nobody. Blocks are kept in `known` only.
function detailNow(row, known) {
  const number = Math.floor(row / tables.rows);
  if (!known.has(number)) {
    const node = store.blocks[number];
    const bytes = Vendor.inflateSync(bytesOf(node.textContent), { out: new Uint8Array(Number(node.dataset.size)) });
    known.set(number, JSON.parse(new TextDecoder().decode(bytes)));
  }
  return known.get(number)[row % tables.rows];
}
