// The IM server's client for browsers: one file, no dependency. docs/client.md says how to use it.
//
// As a plain script it defines the global `imwatch`; as a module, `import "./imwatch.js"` does the same. Node's require
// gives it too.
(function (root) {
  "use strict";

  const VERSION = 1;
  const SUBPROTOCOL = "im.v1.json";
  const SHORT_LIFE = 30_000; // ms; a connection that lived less was no success
  const QUICK_FOR = 10_000; // after a loss the server is most likely restarting: tries come sooner
  const QUICK_BASE = 500;
  const QUICK_CAP = 4_000;
  const MAX_WISH = 15 * 60_000; // the longest wait that a server may ask for
  const ACK_EVERY = 16; // messages
  const SEEN_MOST = 16384; // of the last messages are known again
  const FLYING_MOST = 256;
  const PROBE = 5_000; // ms for a sign of life when the network may have changed

  // Reasons that come with a code that says come back, and mean stay away.
  const STAY_AWAY = new Set(["normal", "logout", "hello_timeout", "protocol_error", "message_too_big", "too_many_errors", "auth_revoked",
    "permission_denied", "kicked", "session_replaced", "device_conflict", "user_limit"]);
  const REASONS = { 1000: "normal", 1001: "going_away", 1002: "protocol_error", 1003: "protocol_error", 1005: "going_away", 1006: "client_gone",
    1007: "protocol_error", 1008: "permission_denied", 1009: "message_too_big", 1011: "server_error", 1012: "drain", 1013: "overload",
    4000: "server_error", 4001: "drain", 4002: "heartbeat_timeout", 4003: "slow_consumer", 4004: "write_timeout", 4005: "write_error",
    4006: "session_replaced", 4007: "state_lost", 4008: "rate_limited", 4009: "auth_expired", 4011: "idle", 4012: "overload", 4013: "max_lifetime",
    4500: "auth_revoked", 4501: "hello_timeout", 4502: "protocol_error", 4504: "kicked", 4505: "device_conflict", 4506: "user_limit",
    4507: "permission_denied", 4509: "too_many_errors", 4510: "logout" };

  /** What the server, or the end of the client, says no with. code: an error code of the protocol, or "closed", "not_connected", "full". */
  class IMError extends Error {
    constructor(code, text, retryMS = 0) {
      super(text || code);
      this.name = "IMError";
      this.code = code;
      this.retryMS = retryMS;
    }
    get again() { return this.code === "unavailable" || this.code === "rate_limited"; }
  }

  /** judgeClose says what the end of a connection means: {code, reason, retry, waitMS, fresh}. */
  function judgeClose(code, text) {
    const end = { code, reason: REASONS[code] || "server_error", waitMS: 0 };
    end.retry = [1001, 1005, 1006, 1011, 1012, 1013].includes(code) || (code >= 4000 && code < 4500);
    try {
      const said = JSON.parse(text || "{}");
      if (typeof said.r === "string" && said.r) end.reason = said.r;
      end.fresh = said.fresh === true; // the session is over with the connection
      if (said.retry_ms > 0) end.waitMS = Math.min(Number(said.retry_ms), MAX_WISH);
    } catch { /* a text of something else */ }
    if (STAY_AWAY.has(end.reason)) end.retry = false;
    return end;
  }

  /** Backoff gives the waits between tries, in ms: full jitter, as the Go client. */
  class Backoff {
    constructor(base, cap, random) {
      Object.assign(this, { base, cap, random, failures: 0, tries: 0, quickUntil: -Infinity });
    }
    next(now, wish) {
      const quick = now < this.quickUntil;
      const base = quick ? Math.min(this.base, QUICK_BASE) : this.base;
      const cap = quick ? Math.min(this.cap, QUICK_CAP) : this.cap;
      let bound = Math.min(cap, base * 2 ** Math.min(this.failures, 30));
      this.tries++;
      if (!quick || bound < cap) this.failures++;
      if (wish > 0) bound = Math.min(bound, base);
      return wish + this.random() * bound;
    }
    lost(now, life) {
      if (life >= SHORT_LIFE) this.failures = this.tries = 0;
      if (this.failures === 0) this.quickUntil = now + QUICK_FOR;
    }
  }

  function randomName() {
    const bytes = root.crypto.getRandomValues(new Uint8Array(13));
    return Array.from(bytes, (b) => "abcdefghijklmnopqrstuvwxyz234567"[b & 31]).join("");
  }

  /** MemoryStore keeps a queue as long as the page lives. */
  class MemoryStore {
    constructor() { Object.assign(this, { prefix: randomName(), next: 1 }); }
    load() { return []; }
    add() { return `${this.prefix}-${this.next++}`; }
    remove() {}
    close() {}
  }

  /**
   * LocalStore keeps a queue in localStorage, for one tab at a time: a further tab, and a page that has no Web Locks (it was
   * not loaded by https or from localhost), gets a MemoryStore.
   */
  class LocalStore {
    static async open(name) {
      if (!root.navigator?.locks || !root.localStorage) return new MemoryStore();
      const free = await new Promise((resolve) => {
        root.navigator.locks.request(`imwatch:${name}`, { ifAvailable: true }, (lock) => {
          if (!lock) return resolve(null);
          return new Promise((release) => resolve(release)); // held until then, or until the page is gone
        }).catch(() => resolve(null));
      });
      return free ? new LocalStore(name, free) : new MemoryStore();
    }
    constructor(name, release) {
      Object.assign(this, { key: `imwatch:${name}:`, release });
      let head = null;
      try { head = JSON.parse(root.localStorage.getItem(this.key)); } catch { /* begin anew */ }
      Object.assign(this, head?.prefix ? head : { prefix: randomName(), next: 1 });
    }
    load() {
      const list = [];
      for (const key of Object.keys(root.localStorage)) {
        if (!key.startsWith(this.key) || key === this.key) continue;
        try {
          list.push({ id: key.slice(this.key.length), message: JSON.parse(root.localStorage.getItem(key)) });
        } catch { root.localStorage.removeItem(key); }
      }
      const number = (id) => Number(id.slice(id.lastIndexOf("-") + 1));
      return list.sort((a, b) => number(a.id) - number(b.id));
    }
    add(message) {
      const id = `${this.prefix}-${this.next++}`;
      try {
        // The number first: an id must never be given twice.
        root.localStorage.setItem(this.key, JSON.stringify({ prefix: this.prefix, next: this.next }));
        root.localStorage.setItem(this.key + id, JSON.stringify(message));
      } catch (err) {
        throw new IMError("full", `the browser's storage takes no more: ${err.message}`);
      }
      return id;
    }
    remove(id) { root.localStorage.removeItem(this.key + id); }
    close() { this.release(); }
  }

  const DEFAULTS = {
    token: null, // a text, or a function that gives one or a promise of one; called before each connection
    tokenInQuery: false, // else in the first envelope, which keeps it out of the logs of proxies
    device: "", platform: "web", appVersion: "",
    queue: "", // a name: messages wait in localStorage under it; "": in memory
    queueMessages: 10_000,
    backoffBase: 1_000, backoffCap: 60_000, connectTimeout: 10_000, // ms
    random: Math.random,
    WebSocket: null, // for tests
  };

  /**
   * Client is a session with the IM server that outlives its connections. on(type, f) tells of:
   *   message {from, to|room|global, body|data, id, seq, ts}   each once
   *   state   {connected, lost, attempt, hello, end, waitMS, final}
   *   gap     {to|room|global, missed} or {reason}             messages may be missing
   *   presence {states}                                        of a watched user
   *   error   {code, text, ref}                                of what nobody waits for
   */
  class Client {
    constructor(url, options = {}) {
      for (const name of Object.keys(options)) {
        if (!(name in DEFAULTS)) throw new TypeError(`imwatch: unknown option ${name}; there are ${Object.keys(DEFAULTS).join(", ")}`);
      }
      this.url = new URL(url, root.location?.href);
      this.url.protocol = this.url.protocol.replace("http", "ws");
      this.options = { ...DEFAULTS, ...options };
      this.listeners = new Map();
      this.session = null; // {id, epoch, seq}
      this.rooms = new Map(); // name → {want, on, id, in, refused, notBefore}
      this.watched = [];
      this.asks = new Map(); // id → {resolve, reject}
      this.serial = 0;
      this.convs = new Map(); // name → {name, room, items}
      this.byID = new Map();
      this.early = []; // published before the store was open
      this.flying = 0;
      this.pausedUntil = 0;
      this.refusals = 0;
      this.seen = new Set();
      this.backoff = new Backoff(this.options.backoffBase, this.options.backoffCap, this.options.random);
      this.history = { attempt: 1, reason: "", life: 0 };
      this.link = null; // the connection that is up
      this.trying = null; // the one that is being made
      this.closing = false;
      this.timers = {};
      this.done = new Promise((resolve) => { this.finished = resolve; });
      this.events = [["online", () => this.wakeUp()], ["offline", () => this.probe()]];
      for (const [type, f] of this.events) root.addEventListener?.(type, f);
      this.visible = () => { if (root.document.visibilityState === "visible") this.wakeUp(); };
      root.document?.addEventListener("visibilitychange", this.visible);
      this.start();
    }

    async start() {
      this.store = this.options.queue ? await LocalStore.open(this.options.queue) : new MemoryStore();
      for (const { id, message } of this.store.load()) this.enqueue({ id, message });
      for (const entry of this.early.splice(0)) this.keep(entry);
      if (this.closing) this.finish({ code: 1000, reason: "normal", retry: false });
      else this.connect();
    }

    on(type, f) {
      if (!this.listeners.has(type)) this.listeners.set(type, []);
      this.listeners.get(type).push(f);
      return this;
    }

    emit(type, what) {
      for (const f of this.listeners.get(type) || []) {
        try { f(what); } catch (err) { (root.reportError || console.error)(err); }
      }
    }

    get connected() { return this.link !== null; }
    get queued() { return this.byID.size + this.early.length; }

    // ---- connecting

    async connect() {
      const o = this.options;
      const trying = this.trying = { tries: true, since: 0 };
      const stale = () => this.trying !== trying;
      let token = "";
      try {
        token = (typeof o.token === "function" ? await o.token() : o.token) || "";
      } catch (err) {
        if (!stale()) this.failed({ code: 0, reason: "", retry: true, waitMS: 0, cause: err });
        return;
      }
      if (stale()) return;
      const inFrame = token !== "" && !o.tokenInQuery;
      const url = new URL(this.url);
      const q = { v: VERSION, attempt: this.history.attempt, device_id: o.device, platform: o.platform, app_version: o.appVersion };
      if (this.history.reason) Object.assign(q, { prev_reason: this.history.reason, prev_life_ms: Math.round(this.history.life) });
      if (inFrame) q.wait = 1;
      else if (token) q.token = token;
      const s = this.session;
      if (s && !s.over && !inFrame) Object.assign(q, { session_id: s.id, epoch: s.epoch, seq: s.seq });
      for (const [name, value] of Object.entries(q)) if (value !== "") url.searchParams.set(name, value);
      let ws;
      try {
        ws = new (o.WebSocket || root.WebSocket)(url, SUBPROTOCOL);
      } catch (err) {
        this.failed({ code: 0, reason: "", retry: false, waitMS: 0, cause: err });
        return;
      }
      const link = { ws, hello: null, since: Date.now(), heard: Date.now(), pinged: 0, handled: 0, acked: 0 };
      trying.link = link;
      this.timer("connect", o.connectTimeout, () => this.drop(link, { code: 0, reason: "net_timeout", retry: true, waitMS: 0 }));
      ws.onopen = () => {
        if (!inFrame) return;
        const payload = { token };
        if (s && !s.over) Object.assign(payload, { session_id: s.id, epoch: s.epoch, seq: s.seq });
        this.write(link, { type: "auth", payload });
      };
      ws.onmessage = (m) => this.received(link, m.data);
      ws.onclose = (e) => this.ended(link, judgeClose(e.code, e.reason));
    }

    /** up: the server has said hello. */
    up(link, hello) {
      const asked = this.session !== null;
      link.hello = hello;
      link.since = Date.now();
      link.handled = link.acked = hello.seq || 0;
      this.trying = null;
      this.link = link;
      this.timer("connect");
      this.session = { id: hello.session_id, epoch: hello.epoch || "", seq: hello.seq || 0 };
      for (const [name, r] of this.rooms) {
        if (hello.resumed && r.want && r.in) continue;
        if (!hello.resumed && !r.want) this.rooms.delete(name);
        else this.rooms.set(name, { want: r.want });
      }
      this.emit("state", { connected: true, attempt: this.history.attempt, hello });
      if (asked && !hello.resumed) this.emit("gap", { reason: hello.resume_reason || "unknown_session" });
      if (this.watched.length) this.write(link, { type: "presence", id: this.nextID(), payload: { users: this.watched, watch: true } });
      this.watchdog();
      this.pump();
    }

    /** drop gives a connection up without waiting for its close. */
    drop(link, end) {
      link.ws.onopen = link.ws.onmessage = link.ws.onclose = null;
      try { link.ws.close(); } catch { /* it is gone */ }
      this.ended(link, end);
    }

    ended(link, end) {
      if (this.link === link) {
        const now = Date.now();
        const life = now - link.since;
        this.link = null;
        this.backoff.lost(now, life);
        Object.assign(this.history, { reason: end.reason, life });
        this.flying = 0;
        this.pausedUntil = 0;
        for (const conv of this.convs.values()) for (const o of conv.items) o.sent = false;
        const asks = [...this.asks.values()];
        this.asks.clear();
        for (const ask of asks) ask.reject(new IMError("not_connected", `the connection was lost (${end.reason})`));
        this.failed(end, true);
      } else if (this.trying?.link === link) {
        this.failed(end);
      }
    }

    failed(end, lost = false) {
      this.trying = null;
      for (const name of Object.keys(this.timers)) this.timer(name);
      const attempt = this.history.attempt;
      const final = this.closing || !end.retry;
      if (end.fresh && this.session) this.session.over = true;
      const waitMS = final ? 0 : this.backoff.next(Date.now(), end.waitMS);
      this.history.attempt = this.backoff.tries + 1;
      this.emit("state", { connected: false, lost, attempt, end, waitMS, final });
      if (final) return this.finish(end);
      this.notBefore = Date.now() + end.waitMS;
      this.timer("again", waitMS, () => this.connect());
    }

    finish(end) {
      if (this.over) return;
      this.over = true;
      this.closing = true;
      this.end = end;
      for (const [type, f] of this.events) root.removeEventListener?.(type, f);
      root.document?.removeEventListener("visibilitychange", this.visible);
      for (const o of this.byID.values()) o.reject?.(new IMError("closed", `the client has ended (${end.reason})`));
      this.byID.clear();
      this.convs.clear();
      this.store.close();
      this.flushed?.();
      this.finished(end);
    }

    timer(name, ms, f) {
      clearTimeout(this.timers[name]);
      delete this.timers[name];
      if (f) this.timers[name] = setTimeout(() => { delete this.timers[name]; f(); }, ms);
    }

    // ---- signs of life. Browsers hide the server's pings, so the client asks with its own.

    watchdog() {
      const link = this.link;
      const beat = link?.hello.heartbeat_ms;
      if (!beat) return;
      const now = Date.now();
      // Timers of a hidden page come late: only a question that was not answered in time counts.
      if (link.pinged > link.heard && now - link.pinged >= beat) {
        this.drop(link, { code: 0, reason: "net_timeout", retry: true, waitMS: 0 });
        return;
      }
      if (link.pinged <= link.heard && now - link.heard >= beat) this.ping(link);
      const next = (link.pinged > link.heard ? link.pinged : link.heard) + beat - now;
      this.timer("watchdog", Math.max(next, 10), () => this.watchdog());
    }

    ping(link) {
      link.pinged = Date.now();
      if (link.pinged <= link.heard) link.pinged = link.heard + 1;
      this.write(link, { type: "ping" });
    }

    /** probe asks for a sign of life at once. */
    probe() {
      const link = this.link;
      if (!link) return;
      this.ping(link);
      const asked = link.pinged;
      this.timer("probe", PROBE, () => {
        if (this.link === link && link.heard < asked) this.drop(link, { code: 0, reason: "net_timeout", retry: true, waitMS: 0 });
      });
    }

    /** wakeUp: there may be a network again, or somebody who looks. */
    wakeUp() {
      if (this.link) return this.probe();
      if (!this.timers.again || this.closing) return;
      const jitter = this.options.random() * Math.min(this.options.backoffBase, QUICK_BASE);
      this.timer("again", Math.max(0, this.notBefore - Date.now()) + jitter, () => this.connect());
    }

    // ---- receiving

    write(link, e) {
      try { link.ws.send(JSON.stringify({ v: VERSION, ...e })); } catch { /* its close says it */ }
    }

    received(link, data) {
      let e;
      try { e = JSON.parse(data); } catch { return; }
      const p = e.payload || {};
      link.heard = Date.now();
      if (link !== this.link) {
        if (this.trying?.link !== link) return;
        if (e.type === "hello") this.up(link, p);
        else if (e.type === "error") this.drop(link, { code: 0, reason: "", retry: true, waitMS: p.retry_ms || 0, cause: new IMError(p.code, p.text) });
        return;
      }
      switch (e.type) {
        case "message": return this.message(link, e, p);
        case "ack": return this.acked(p);
        case "error": return this.refused(p);
        case "gap": return this.emit("gap", p);
        case "ping": return this.write(link, { type: "pong", id: e.id });
        case "hello": return this.answered(this.authID, p);
        case "devices": return this.answered(e.id, p);
        case "presence": if (!this.answered(e.id, p)) this.emit("presence", p);
      }
    }

    message(link, e, p) {
      const key = `${p.from}\n${e.id}`;
      if (!e.id || !this.seen.has(key)) {
        if (e.id) {
          this.seen.add(key);
          if (this.seen.size > SEEN_MOST) this.seen.delete(this.seen.values().next().value);
        }
        this.emit("message", { ...p, id: e.id, seq: e.seq, ts: e.ts });
      }
      if (link !== this.link || !(e.seq > link.handled)) return;
      link.handled = this.session.seq = e.seq;
      if (link.handled - link.acked >= ACK_EVERY) this.ack(link);
      else if (!this.timers.ack) this.timer("ack", link.hello.ack_ms || 5_000, () => this.ack(link));
    }

    ack(link) {
      this.timer("ack");
      if (link.handled <= link.acked) return;
      link.acked = link.handled;
      this.write(link, { type: "ack", payload: { seq: link.acked } });
    }

    answered(id, value, err) {
      const ask = this.asks.get(id);
      if (!ask) return false;
      this.asks.delete(id);
      if (err) ask.reject(err);
      else ask.resolve(value);
      return true;
    }

    acked(p) {
      this.refusals = 0;
      const o = this.settle(p.ref);
      this.roomAnswered(p.ref);
      this.answered(p.ref, p);
      o?.resolve?.(p);
      this.pump();
    }

    refused(p) {
      const err = new IMError(p.code, p.text, p.retry_ms || 0);
      const o = this.byID.get(p.ref);
      if (err.again && o) {
        o.sent = false;
        this.flying--;
        const random = this.options.random();
        const wait = err.retryMS ? err.retryMS * (1 + random / 10) : random * Math.min(30_000, 500 * 2 ** Math.min(this.refusals++, 10));
        this.pausedUntil = Math.max(this.pausedUntil, Date.now() + wait);
      } else if (o) {
        this.settle(p.ref);
        o.reject?.(err);
        if (!o.reject) this.emit("error", p);
      } else if (!this.answered(p.ref, null, err) && !this.roomAnswered(p.ref, err)) {
        this.emit("error", p);
      }
      this.pump();
    }

    // ---- sending

    /**
     * publish takes {to | room | global, body | data} (data: a Uint8Array) and gives a promise of the server's ack. The
     * message is queued when publish returns; it is sent in the order of its conversation, and again under the same id until
     * the server has acknowledged it.
     */
    publish(message) {
      return new Promise((resolve, reject) => {
        const m = { ...message };
        if (m.data instanceof Uint8Array) m.data = btoa(Array.from(m.data, (b) => String.fromCharCode(b)).join(""));
        if (["to", "room", "global"].filter((k) => m[k]).length !== 1 || (m.body === undefined) === (m.data === undefined)) {
          throw new TypeError("imwatch: a message has one of to, room and global, and either body or data");
        }
        if (this.closing) throw new IMError("closed", "the client has ended");
        if (this.queued >= this.options.queueMessages) throw new IMError("full", `${this.queued} messages wait`);
        const entry = { message: JSON.parse(JSON.stringify(m)), resolve, reject };
        if (this.store) this.keep(entry);
        else this.early.push(entry);
      });
    }

    keep(entry) {
      try {
        entry.id = this.store.add(entry.message);
      } catch (err) {
        entry.reject(err);
        return;
      }
      this.enqueue(entry);
      this.pump();
    }

    enqueue(o) {
      const m = o.message;
      const name = m.to ? `u:${m.to}` : m.room ? `r:${m.room}` : `g:${m.global}`;
      if (!this.convs.has(name)) this.convs.set(name, { name, room: m.room, items: [] });
      o.conv = this.convs.get(name);
      o.conv.items.push(o);
      this.byID.set(o.id, o);
    }

    settle(id) {
      const o = this.byID.get(id);
      if (!o) return null;
      this.byID.delete(id);
      if (o.sent) this.flying--;
      const items = o.conv.items;
      items.splice(items.indexOf(o), 1);
      if (items.length === 0) this.convs.delete(o.conv.name);
      this.store.remove(id);
      if (this.byID.size === 0) this.flushed?.();
      return o;
    }

    /** pump sends what is due. One message of a conversation is on the way at a time, so that none overtakes another. */
    pump() {
      const link = this.link;
      if (!link || this.closing) return;
      const now = Date.now();
      let again = Infinity;
      for (const [name, r] of this.rooms) {
        if ((r.in && r.want) || r.refused || r.on === link) continue;
        if (now < (r.notBefore || 0)) { again = Math.min(again, r.notBefore); continue; }
        Object.assign(r, { on: link, id: this.nextID() });
        this.write(link, { type: r.want ? "subscribe" : "unsubscribe", id: r.id, payload: { room: name } });
      }
      if (now < this.pausedUntil) {
        again = Math.min(again, this.pausedUntil);
      } else {
        for (const conv of [...this.convs.values()]) {
          const o = conv.items[0];
          const room = conv.room && this.rooms.get(conv.room);
          if (this.flying >= FLYING_MOST) break;
          if (o.sent || (room && room.want && !room.in && !room.refused)) continue;
          const e = { type: "publish", id: o.id, payload: o.message };
          const most = link.hello.message_bytes || Infinity;
          const size = new TextEncoder().encode(JSON.stringify({ v: VERSION, ...e })).length;
          if (size > most) {
            this.settle(o.id);
            const err = new IMError("too_big", `a message of ${size} bytes; the server takes ${most}`);
            if (o.reject) o.reject(err); else this.emit("error", { code: err.code, text: err.message, ref: o.id });
            again = now;
            continue;
          }
          o.sent = true;
          this.flying++;
          this.write(link, e);
        }
      }
      this.timer("pump");
      if (again < Infinity) this.timer("pump", Math.max(0, again - now), () => this.pump());
    }

    /** flush gives a promise that the server has everything that is queued. */
    flush() {
      if (this.queued === 0) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const before = this.flushed;
        this.flushed = () => {
          this.flushed = null;
          before?.();
          if (this.over) reject(new IMError("closed", "the client has ended"));
          else resolve();
        };
      });
    }

    // ---- rooms and people

    /** join enters a room, now and after every reconnect until leave. */
    join(room) { this.setRoom(room, true); }
    leave(room) { this.setRoom(room, false); }

    setRoom(name, want) {
      const r = this.rooms.get(name);
      if ((r && r.want === want && !r.refused) || (!r && !want)) return;
      this.rooms.set(name, { want });
      this.pump();
    }

    roomAnswered(id, err) {
      for (const [name, r] of this.rooms) {
        if (!id || r.id !== id) continue;
        if (err?.again) {
          Object.assign(r, { on: null, id: "", notBefore: Date.now() + Math.max(err.retryMS, 500) });
          return true;
        }
        if (!r.want) this.rooms.delete(name);
        else Object.assign(r, { in: !err, refused: Boolean(err) });
        return !err;
      }
      return false;
    }

    nextID() { return `r-${++this.serial}`; }

    ask(type, payload) {
      const link = this.link;
      if (this.closing) return Promise.reject(new IMError("closed", "the client has ended"));
      if (!link) return Promise.reject(new IMError("not_connected", "not connected"));
      const id = this.nextID();
      if (type === "auth") this.authID = id;
      return new Promise((resolve, reject) => {
        this.asks.set(id, { resolve, reject });
        this.write(link, payload ? { type, id, payload } : { type, id });
      });
    }

    /** presence gives [{user, online, devices}]; with watch, on("presence") tells of changes until the next call. */
    async presence(users, { watch = false } = {}) {
      this.watched = watch ? [...users] : [];
      return (await this.ask("presence", watch ? { users, watch } : { users })).states || [];
    }

    /** roomPresence gives {room, count, states} of a room that this client is in. */
    roomPresence(room) { return this.ask("presence", { room }); }

    /** devices gives the user's own connections: [{device, platform, connection_id, since, this}]. */
    async devices() { return (await this.ask("devices")).devices || []; }

    /** kick ends own connections, by {device} or {connection_id}, and gives how many. */
    async kick(which) { return (await this.ask("kick", which)).delivered || 0; }

    /** refresh gives the server a new token, so that the connection outlives the old one. */
    async refresh() {
      const o = this.options;
      const token = typeof o.token === "function" ? await o.token() : o.token;
      if (token && this.link) await this.ask("auth", { token });
    }

    // ---- the end

    /** close says goodbye and gives a promise of the end. What is queued in localStorage goes out with the next client. */
    close() { return this.leaveServer(1000, "normal"); }

    /** logout is close for a user who leaves. */
    logout() { return this.leaveServer(4510, "logout"); }

    leaveServer(code, reason) {
      if (!this.closing) {
        this.closing = true;
        const link = this.link;
        if (link) {
          this.ack(link);
          link.ws.close(code, JSON.stringify({ r: reason }));
          this.timer("goodbye", 3_000, () => this.drop(link, judgeClose(code, "")));
        } else if (this.store) {
          if (this.trying?.link) this.drop(this.trying.link, judgeClose(code, ""));
          else this.failed(judgeClose(code, ""));
        }
      }
      return this.done;
    }
  }

  const imwatch = { Client, IMError, Backoff, judgeClose };
  root.imwatch = imwatch;
  if (typeof module === "object" && module.exports) module.exports = imwatch;
})(globalThis);
