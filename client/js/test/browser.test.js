import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open, token } from "./site.js";

let site;
before(async () => { site = await open(); });
after(() => site?.close());

const patient = { timeout: 30_000 };

test("a cut connection is resumed: nothing is lost, nothing comes twice", async () => {
  const page = await site.page();
  await page.evaluate(([ann, bob]) => {
    globalThis.ann = make(ann, { device: "d-ann" });
    globalThis.bob = make(bob);
  }, [token("ann-1"), token("bob-1")]);
  await page.waitForFunction(() => globalThis.ann.connected && globalThis.bob.connected, null, patient);
  await page.evaluate(() => { globalThis.ann.join("r"); globalThis.bob.join("r"); });
  await page.waitForFunction(() => globalThis.ann.rooms.get("r").in && globalThis.bob.rooms.get("r").in, null, patient);
  const acks = [];
  for (let i = 0; i < 30; i++) {
    if (i % 10 === 5) site.proxy.cut();
    acks.push(page.evaluate((i) => globalThis.bob.publish(i % 2 ? { room: "r", body: i } : { to: "ann-1", body: i }), i));
  }
  assert.equal((await Promise.all(acks)).length, 30);
  await page.waitForFunction(() => globalThis.ann.got.length >= 30, null, patient);
  const { got, gaps, states } = await page.evaluate(() => ({ got: globalThis.ann.got, gaps: globalThis.ann.gaps, states: globalThis.ann.states }));
  assert.deepEqual(got.filter((n) => n % 2), Array.from({ length: 15 }, (_, i) => 2 * i + 1));
  assert.deepEqual(got.filter((n) => n % 2 === 0), Array.from({ length: 15 }, (_, i) => 2 * i));
  assert.deepEqual(gaps, []);
  const ups = states.filter((s) => s.connected);
  assert.ok(ups.length >= 2 && ups.slice(1).every((s) => s.hello.resumed), JSON.stringify(states));
  // All is acknowledged before the end.
  await page.evaluate(() => Promise.all([globalThis.ann.close(), globalThis.bob.logout()]));
  await page.close();
});

test("a server that is killed and comes back costs seconds; the gap is told, and what was published meanwhile arrives", async () => {
  const page = await site.page();
  await page.evaluate(([ann, bob]) => { globalThis.ann = make(ann); globalThis.bob = make(bob); }, [token("ann-2"), token("bob-2")]);
  await page.waitForFunction(() => globalThis.ann.connected && globalThis.bob.connected, null, patient);
  await site.server.stop("SIGKILL");
  await page.waitForFunction(() => !globalThis.ann.connected && !globalThis.bob.connected, null, patient);
  const ack = page.evaluate(() => globalThis.bob.publish({ to: "ann-2", body: "while away" }));
  await site.server.start();
  const from = Date.now();
  await ack;
  await page.waitForFunction(() => globalThis.ann.got.length === 1, null, patient);
  assert.ok(Date.now() - from < 8_000, `${Date.now() - from} ms`);
  const ann = await page.evaluate(() => ({ got: globalThis.ann.got, gaps: globalThis.ann.gaps, end: globalThis.ann.states.find((s) => s.lost) }));
  assert.deepEqual(ann.got, ["while away"]);
  assert.equal(ann.gaps.length, 1);
  assert.equal(ann.gaps[0].reason, "unknown_session");
  assert.equal(ann.end.end.reason, "client_gone");
  await page.close();
});

test("a drain is heeded: the client comes back when the server said", async () => {
  const page = await site.page();
  await page.evaluate((ann) => { globalThis.ann = make(ann); }, token("ann-3"));
  await page.waitForFunction(() => globalThis.ann.connected, null, patient);
  await site.server.stop("SIGTERM");
  await page.waitForFunction(() => globalThis.ann.states.some((s) => s.lost), null, patient);
  const lost = await page.evaluate(() => globalThis.ann.states.find((s) => s.lost));
  assert.equal(lost.end.code, 4001);
  assert.equal(lost.end.reason, "drain");
  assert.ok(lost.end.waitMS > 0 && lost.waitMS >= lost.end.waitMS, JSON.stringify(lost));
  await site.server.start();
  await page.waitForFunction(() => globalThis.ann.connected, null, patient);
  await page.close();
});

test("what was published offline outlives the page, once", async () => {
  const context = await site.browser.newContext();
  const first = await site.page(context);
  site.proxy.away = true;
  await first.evaluate((bob) => {
    globalThis.bob = make(bob, { queue: "q" });
    for (let i = 0; i < 5; i++) globalThis.bob.publish({ to: "carl-4", body: i }).catch(() => {});
  }, token("bob-4"));
  await first.waitForFunction(() => Object.keys(localStorage).length === 6, null, patient);
  // A further tab has a queue of its own: two must not send the same.
  const other = await site.page(context);
  await other.evaluate((bob) => { globalThis.bob = make(bob, { queue: "q" }); }, token("bob-4"));
  await other.waitForFunction(() => globalThis.bob.store, null, patient);
  assert.equal(await other.evaluate(() => globalThis.bob.queued), 0);
  await other.close();
  await first.close();
  site.proxy.away = false;
  const page = await site.page(context);
  await page.evaluate(([bob, carl]) => {
    globalThis.carl = make(carl);
    globalThis.bob = make(bob, { queue: "q" });
    globalThis.bob.publish({ to: "carl-4", body: 5 });
  }, [token("bob-4"), token("carl-4")]);
  await page.waitForFunction(() => globalThis.carl.got.length >= 6, null, patient);
  await page.evaluate(() => globalThis.bob.flush());
  assert.deepEqual(await page.evaluate(() => globalThis.carl.got), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage)), ["imwatch:q:"]);
  await context.close();
});

test("a network that swallows everything is found out", async () => {
  const page = await site.page();
  await page.evaluate((ann) => { globalThis.ann = make(ann); }, token("ann-5"));
  await page.waitForFunction(() => globalThis.ann.connected, null, patient);
  site.proxy.stall();
  await page.evaluate(() => dispatchEvent(new Event("offline")));
  await page.waitForFunction(() => globalThis.ann.states.filter((s) => s.connected).length === 2, null, patient);
  const lost = await page.evaluate(() => globalThis.ann.states.find((s) => s.lost));
  assert.equal(lost.end.reason, "net_timeout");
  await page.close();
});

test("nobody comes back who must not", async () => {
  const page = await site.page();
  const bad = await page.evaluate((t) => make(t).done, `${token("ann-6").slice(0, -4)}AAAA`);
  assert.equal(bad.code, 4500);
  await page.evaluate((ann) => {
    globalThis.one = make(ann, { device: "one" });
    globalThis.two = make(ann, { device: "two" });
  }, token("ann-6"));
  await page.waitForFunction(() => globalThis.one.connected && globalThis.two.connected, null, patient);
  const kicked = await page.evaluate(async () => {
    const devices = await globalThis.two.devices();
    const n = await globalThis.two.kick({ device: "one" });
    return { devices: devices.map((d) => d.device).sort(), n, end: await globalThis.one.done };
  });
  assert.deepEqual(kicked.devices, ["one", "two"]);
  assert.equal(kicked.n, 1);
  assert.equal(kicked.end.reason, "kicked");
  const refused = await page.evaluate(() => globalThis.two.publish({ room: "r", body: 1 }).catch((err) => err.code));
  assert.equal(refused, "not_member");
  await page.close();
});

test("presence is watched, over a loss too; the token may go by query; as a module", async () => {
  const page = await site.page();
  await page.evaluate(async ([ann]) => {
    delete globalThis.imwatch;
    await import("./imwatch.js?module");
    globalThis.ann = make(ann, { tokenInQuery: true });
  }, [token("ann-7")]);
  await page.waitForFunction(() => globalThis.ann.connected, null, patient);
  assert.deepEqual(await page.evaluate(() => globalThis.ann.presence(["dora-7"], { watch: true })), [{ user: "dora-7" }]);
  site.proxy.cut();
  await page.waitForFunction(() => globalThis.ann.states.filter((s) => s.connected).length === 2, null, patient);
  await page.evaluate((dora) => { globalThis.dora = make(dora); }, token("dora-7"));
  await page.waitForFunction(() => globalThis.ann.seenPresence.some((p) => p.states[0].user === "dora-7" && p.states[0].online), null, patient);
  await page.close();
});

test("the example chats", async () => {
  const context = await site.browser.newContext();
  const chat = async (user) => {
    const page = await context.newPage();
    await page.goto(`${site.pages}example.html`);
    await page.fill("#url", site.url);
    await page.fill("#token", token(user));
    await page.click("#login button");
    await page.waitForSelector("#state.up", patient);
    return page;
  };
  const [ann, bob] = [await chat("ann-8"), await chat("bob-8")];
  await ann.fill("#text", "hello <b>bob</b>");
  await ann.press("#text", "Enter");
  await bob.waitForFunction(() => document.getElementById("log").textContent.includes("ann-8hello <b>bob</b>"), null, patient);
  await ann.waitForFunction(() => !document.querySelector("#log .waiting"), null, patient);
  await context.close();
});

test("messages are packed where the server agrees", async () => {
  const page = await site.page();
  await page.evaluate(([ann, bob]) => {
    const Plain = globalThis.WebSocket;
    globalThis.agreed = [];
    globalThis.WebSocket = class extends Plain {
      constructor(...args) {
        super(...args);
        this.addEventListener("open", () => globalThis.agreed.push(this.extensions));
      }
    };
    globalThis.ann = make(ann);
    globalThis.bob = make(bob);
  }, [token("ann-9"), token("bob-9")]);
  await page.waitForFunction(() => globalThis.ann.connected && globalThis.bob.connected, null, patient);
  const text = "packed ".repeat(5000);
  await page.evaluate((text) => globalThis.bob.publish({ to: "ann-9", body: text }), text);
  await page.waitForFunction(() => globalThis.ann.got.length === 1, null, patient);
  const { got, agreed } = await page.evaluate(() => ({ got: globalThis.ann.got, agreed: globalThis.agreed }));
  assert.equal(got[0], text);
  assert.ok(agreed.length >= 2 && agreed.every((e) => e.startsWith("permessage-deflate")), JSON.stringify(agreed));
  await page.evaluate(() => Promise.all([globalThis.ann.close(), globalThis.bob.close()]));
  await page.close();
});
