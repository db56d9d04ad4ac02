// What the tests stand on: the real server, a proxy before it that can cut and stall, pages, and a browser.
import { execFile, spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, "../../..");
const secret = "0123456789abcdef0123456789abcdef";

export function token(user, seconds = 3600) {
  const part = (o) => Buffer.from(JSON.stringify(o)).toString("base64url");
  const body = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: user, exp: Math.floor(Date.now() / 1000) + seconds })}`;
  return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
}

async function freePort() {
  const s = net.createServer().listen(0, "127.0.0.1");
  await once(s, "listening");
  const { port } = s.address();
  s.close();
  await once(s, "close");
  return port;
}

/** Server is `imwatch im-server`, on one port over all its lives. */
class Server {
  async prepare(dir) {
    this.dir = dir;
    this.bin = path.join(dir, "imwatch");
    await promisify(execFile)("go", ["build", "-o", this.bin, "./cmd/imwatch"], { cwd: root });
    this.port = await freePort();
    this.config = path.join(dir, "imwatch.yaml");
    await writeFile(this.config, JSON.stringify({
      im_server: {
        addr: `127.0.0.1:${this.port}`, ops_addr: "", node: "im-1", origins: ["*"], log: { path: path.join(dir, "im.log") },
        jwt: { keys: [{ algorithm: "HS256", secret: "${IM_SECRET}" }] }, limits: { connect_rate: 0, user_connect_rate: 0 }, compression: { enabled: true },
      },
    }));
  }
  async start() {
    this.process = spawn(this.bin, ["im-server", "--config", this.config], { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, IM_SECRET: secret } });
    let said = "";
    this.process.stderr.on("data", (d) => { said += d; });
    const gone = once(this.process, "exit").then(() => { throw new Error(`the server ended: ${said}`); });
    gone.catch(() => {});
    await Promise.race([gone, (async () => {
      for (;;) {
        const s = net.connect(this.port, "127.0.0.1");
        const up = await new Promise((resolve) => s.once("connect", () => resolve(true)).once("error", () => resolve(false)));
        s.destroy();
        if (up) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })()]);
  }
  async stop(signal = "SIGTERM") {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = once(this.process, "exit");
    this.process.kill(signal);
    await gone;
  }
}

/** Proxy stands between the browser and the server. */
class Proxy {
  async start(to) {
    this.pairs = new Set();
    this.away = false;
    this.server = net.createServer((near) => {
      if (this.away) return near.destroy();
      const far = net.connect(to(), "127.0.0.1");
      const pair = [near, far];
      this.pairs.add(pair);
      for (const s of pair) {
        s.on("error", () => {});
        s.on("close", () => { for (const o of pair) o.destroy(); this.pairs.delete(pair); });
      }
      near.pipe(far);
      far.pipe(near);
    }).listen(0, "127.0.0.1");
    await once(this.server, "listening");
    this.port = this.server.address().port;
  }
  cut() { for (const pair of this.pairs) for (const s of pair) s.resetAndDestroy(); }
  /** stall lets the connections there are stand, and passes nothing more on. */
  stall() { for (const [near, far] of this.pairs) { near.unpipe(far); far.unpipe(near); } }
  stop() { this.cut(); this.server.close(); }
}

export async function open() {
  const dir = await mkdtemp(path.join(os.tmpdir(), "imwatch-browser-"));
  const server = new Server();
  await server.prepare(dir);
  await server.start();
  const proxy = new Proxy();
  await proxy.start(() => server.port);
  const pages = http.createServer(async (req, res) => {
    const name = new URL(req.url, "http://x").pathname;
    const kind = { ".js": "text/javascript", ".html": "text/html" }[path.extname(name)] || "text/html";
    try {
      const body = name === "/" ? "<!DOCTYPE html><title>test</title><script src=imwatch.js></script>" : await readFile(path.join(here, "..", path.basename(name)));
      res.writeHead(200, { "Content-Type": kind }).end(body);
    } catch {
      res.writeHead(404).end();
    }
  }).listen(0, "127.0.0.1");
  await once(pages, "listening");
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
  const site = { server, proxy, browser, url: `ws://127.0.0.1:${proxy.port}/ws/connect`, pages: `http://127.0.0.1:${pages.address().port}/` };
  site.close = async () => {
    await browser.close();
    proxy.stop();
    pages.close();
    await server.stop();
    await rm(dir, { recursive: true });
  };
  /** page gives a page with `make(token, options)`, which connects and notes what it is told. */
  site.page = async (context = null) => {
    const page = await (context || await browser.newContext()).newPage();
    page.on("pageerror", (err) => { throw err; });
    await page.goto(site.pages);
    await page.evaluate((url) => {
      globalThis.make = (token, options = {}) => {
        const c = new imwatch.Client(url, { token, ...options });
        Object.assign(c, { got: [], states: [], gaps: [], seenPresence: [] });
        c.on("message", (m) => c.got.push(m.body)).on("state", (s) => c.states.push({ ...s, at: Date.now() }))
          .on("gap", (g) => c.gaps.push(g)).on("presence", (p) => c.seenPresence.push(p));
        return c;
      };
    }, site.url);
    return page;
  };
  return site;
}
