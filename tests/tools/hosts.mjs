// Hosts on this machine: `node hosts.mjs netlify|cloudflare DIST NODE_MODULES [PORT]` gives out DIST/client, and prints its port.
//
// Netlify's rules are read and matched by Netlify's own packages, and applied as its `@netlify/redirects` does: a file goes before
// a rule. Cloudflare's files, redirects and headers are answered by the asset server of Pages (@cloudflare/pages-shared); what reads
// the lines of `_redirects` and `_headers` for it is below, since that is in no package but wrangler, of 200 MB. The worker runs in
// Node, whose fetch, Request and Response are the same standard; which requests come to it `_routes.json` says.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join } from "node:path";
import { pathToFileURL } from "node:url";

const [kind, dist, modules, port = "0"] = process.argv.slice(2);
const client = join(dist, existsSync(join(dist, "cdn")) ? "cdn" : "client"); // with a base the files lie below it
const require = createRequire(join(modules, "x.cjs"));
const load = (name) => import(pathToFileURL(join(modules, name)));
const TYPES = { ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript", ".svg": "image/svg+xml", ".txt": "text/plain" };
const typeOf = (name) => TYPES[extname(name)] ?? "application/octet-stream";
const own = (name) => (existsSync(join(client, name)) ? readFileSync(join(client, name), "utf8") : "");

function fileAt(path) {
  const name = join(client, path);
  if (["_redirects", "_headers", "_routes.json", "_worker.js"].includes(path.replace(/^\/+/, ""))) return null; // the host's own
  return !path.split("/").includes("..") && existsSync(name) && statSync(name).isFile() ? name : null;
}

async function netlify() {
  const { parseAllRedirects } = await load("netlify-redirect-parser/lib/index.js");
  const { parseAllHeaders } = await load("netlify-headers-parser/lib/index.js");
  const { redirects, errors } = await parseAllRedirects({ redirectsFiles: [join(client, "_redirects")], configRedirects: [], minimal: true });
  const headers = await parseAllHeaders({ headersFiles: [join(client, "_headers")], configHeaders: [], minimal: false });
  if (errors.length + headers.errors.length > 0) throw new Error([...errors, ...headers.errors].join("\n"));
  const rules = redirects.map(({ from, query, ...rule }) => ({ ...rule, path: from, params: query }));
  const matcher = await require("netlify-redirector").parseJSON(JSON.stringify(rules), {});
  const sent = (path, name, status = 200) => {
    const found = headers.headers.filter((rule) => rule.forRegExp.test(path)).map((rule) => rule.values);
    return new Response(readFileSync(name), { status, headers: Object.assign({ "content-type": typeOf(name) }, ...found) });
  };
  const asFile = (url) => {
    const path = decodeURIComponent(url.pathname);
    if (path.includes("//")) return null;
    const name = fileAt(path.endsWith("/") ? `${path}index.html` : path) ?? fileAt(`${path.replace(/\/$/, "")}.html`);
    if (name) return sent(url.pathname, name);
    if (fileAt(`${path}/index.html`)) return new Response(null, { status: 301, headers: { location: `${url.pathname}/${url.search}` } });
    return null;
  };
  return async (request) => {
    const url = new URL(request.url);
    try {
      decodeURIComponent(url.pathname);
    } catch {
      return new Response("Bad Request", { status: 400 });
    }
    const rule = matcher.match({
      ...{ scheme: "https", host: url.hostname, path: decodeURIComponent(url.pathname), query: url.search.slice(1) },
      ...{ headers: {}, cookieValues: {}, getHeader: () => "", getCookie: () => "" },
    });
    const file = ["GET", "HEAD"].includes(request.method) ? asFile(url) : null;
    if (file && !rule?.force) return file;
    const target = rule && new URL(rule.to, request.url);
    if (target && !target.search) target.search = url.search;
    if (rule && rule.status >= 300 && rule.status < 400) {
      const inside = target.origin === url.origin ? target.pathname + target.search + target.hash : target.href;
      return new Response(null, { status: rule.status, headers: { location: inside } });
    }
    if (rule && /^https?:/.test(rule.to)) return fetch(new Request(target, request), { redirect: "manual" });
    return (rule && asFile(target)) || (fileAt("/404.html") ? sent("/404.html", fileAt("/404.html"), 404) : new Response("Not Found", { status: 404 }));
  };
}

function cloudflareRules() {
  const redirects = { rules: [], invalid: [] };
  for (const [number, line] of own("_redirects").split("\n").entries()) {
    const [from, to, status = "302"] = line.trim().split(/\s+/);
    if (line.trim() && !from.startsWith("#")) redirects.rules.push({ from, to, status: Number(status), lineNumber: number + 1 });
  }
  const headers = { rules: [], invalid: [] };
  for (const line of own("_headers").split("\n")) {
    if (line.startsWith("/")) headers.rules.push({ path: line.trim(), headers: {}, unsetHeaders: [] });
    else if (line.trim() && !line.startsWith("#")) {
      const [name, ...value] = line.trim().split(":");
      headers.rules.at(-1).headers[name.toLowerCase()] = value.join(":").trim();
    }
  }
  return { redirects, headers };
}

async function cloudflare() {
  const { generateHandler } = await load("@cloudflare/pages-shared/dist/asset-server/handler.js");
  const { createMetadataObject } = await load("@cloudflare/pages-shared/dist/metadata-generator/createMetadataObject.js");
  const told = [];
  const logger = { debug() {}, log() {}, info() {}, warn: (text) => told.push(text), error: (error) => told.push(String(error)) };
  const metadata = createMetadataObject({ ...cloudflareRules(), redirectsFile: "_redirects", headersFile: "_headers", logger });
  if (told.length > 0) throw new Error(told.join("\n"));
  const assets = (request) =>
    generateHandler({
      request,
      metadata: { ...metadata, deploymentId: "here" },
      logError: (error) => console.error(error),
      findAssetEntryForPath: async (path) => fileAt(path),
      getAssetKey: (name) => createHash("sha256").update(readFileSync(name)).digest("hex"),
      negotiateContent: () => ({ encoding: null }),
      fetchAsset: async (key) => ({ body: new Response(readFileSync(byKey.get(key))).body, contentType: typeOf(byKey.get(key)) }),
      generateNotFoundResponse: async (asked, find, serve) => {
        // As wrangler has it: the nearest 404.html, else the home page for everything.
        const entry = (await find("/404.html")) ?? (await find("/index.html"));
        const answer = await serve(entry, { preserve: false });
        return (await find("/404.html")) ? new Response(answer.body, { status: 404, headers: answer.headers }) : answer;
      },
    });
  const byKey = { get: (key) => keys.get(key) };
  const keys = new Map();
  const walk = (await import("node:fs")).readdirSync(client, { recursive: true }).map((name) => join(client, name));
  for (const name of walk) if (statSync(name).isFile()) keys.set(createHash("sha256").update(readFileSync(name)).digest("hex"), name);
  if (!existsSync(join(client, "_worker.js"))) return assets;
  const source = `data:text/javascript;base64,${Buffer.from(own("_worker.js")).toString("base64")}`;
  const worker = (await import(source)).default;
  const asked = JSON.parse(own("_routes.json")).include.map((rule) => new RegExp(`^${rule.split("*").map((text) => text.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`));
  return (request) =>
    asked.some((rule) => rule.test(new URL(request.url).pathname)) ? worker.fetch(request, { ASSETS: { fetch: assets } }) : assets(request);
}

const answer = await (kind === "netlify" ? netlify() : cloudflare());
const server = createServer(async (incoming, outgoing) => {
  try {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const headers = Object.entries(incoming.headers).filter(([name]) => !["connection", "content-length", "transfer-encoding"].includes(name));
    const body = chunks.length > 0 ? Buffer.concat(chunks) : undefined;
    const url = `http://${incoming.headers.host}${incoming.url}`;
    const response = await answer(new Request(url, { method: incoming.method, headers, body, redirect: "manual" }));
    // The client's fetch has undone a coding; what tells of it and of the length would be wrong.
    const sent = [...response.headers].filter(([name]) => !["content-encoding", "content-length", "transfer-encoding", "connection", "set-cookie"].includes(name));
    outgoing.writeHead(response.status, [...sent, ...response.headers.getSetCookie().map((cookie) => ["set-cookie", cookie])].flat());
    outgoing.end(incoming.method === "HEAD" ? undefined : Buffer.from(await response.arrayBuffer()));
  } catch (error) {
    console.error(error);
    outgoing.writeHead(502).end(String(error));
  }
});
server.listen(Number(port), "127.0.0.1", () => console.log(server.address().port));
