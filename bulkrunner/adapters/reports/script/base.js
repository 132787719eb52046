"use strict";
// Small helpers. Nothing on this page ever becomes markup: text goes in as text nodes only.

const page = { lang: document.documentElement.lang, listeners: [] };

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

function readJson(id) {
  const node = document.getElementById(id);
  return node ? JSON.parse(node.textContent) : null;
}

const tables = readJson("tables");

function words() { return tables.words[page.lang]; }

function say(key, values) {
  let text = words().text[key];
  for (const [name, value] of Object.entries(values || {})) text = text.split(`{${name}}`).join(String(value));
  return text;
}

function count(n) { return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, words().thousands); }

function side() { return page.lang === "sv" ? 0 : 1; }

function entry(table, number) { return typeof number === "number" ? table[number] : number; }

function foldable(text) { return text.toLocaleLowerCase("sv"); }
