"use strict";
// Node with its own fetch and with ws, the usual library for sockets there.

const assert = require("assert");
const crypto = require("crypto");
const WebSocket = require("ws");

const address = process.env.NODE;
const suffix = process.env.SUFFIX;
const password = "moss and stones " + suffix;

async function check(text, act) {
    try {
        const result = await act();
        console.log(`ok · ${text}`);
        return result;
    } catch (problem) {
        console.log(`failed · ${text}: ${String(problem.stack || problem).split("\n").slice(0, 3).join(" ")}`);
        process.exit(1);
    }
}

async function call(method, path, body, token, status = 200) {
    const headers = { ...(token && { Authorization: `Bearer ${token}` }) };
    const isBytes = Buffer.isBuffer(body);
    if (body) headers["Content-Type"] = isBytes ? "application/octet-stream" : "application/json";
    const answer = await fetch(`http://${address}${path}`, {
        method, headers, body: isBytes ? body : body && JSON.stringify(body), signal: AbortSignal.timeout(20000),
    });
    const value = await answer.json();
    assert.strictEqual(answer.status, status, `${method} ${path} answered ${JSON.stringify(value)}`);
    return value.data;
}

/** A socket that speaks the node's protocol; frames are kept until somebody waits for them. */
class Session {
    constructor(options) {
        this.frames = [];
        this.waiting = [];
        this.state = 0;
        this.last = {};
        this.socket = new WebSocket(`ws://${address}/api/ws`, ["avr.1"], options);
        this.socket.on("message", (bytes) => {
            const frame = JSON.parse(bytes.toString());
            if ("seq" in frame) this.last[frame.subgroup] = frame.seq;
            this.frames.push(frame);
            this.look();
        });
        this.open = new Promise((done, fail) => this.socket.on("open", done).on("error", fail));
        this.closed = new Promise((done) => this.socket.on("close", done));
    }

    look() {
        this.waiting = this.waiting.filter(({ fits, done }) => {
            const at = this.frames.findIndex(fits);
            if (at < 0) return true;
            done(this.frames.splice(at, 1)[0]);
            return false;
        });
    }

    frame(what, fits) {
        return new Promise((done, fail) => {
            const timer = setTimeout(() => fail(new Error(`${what}: nothing within 10 s`)), 10000);
            this.waiting.push({ fits, done: (frame) => { clearTimeout(timer); done(frame); } });
            this.look();
        });
    }

    async event(name) {
        return (await this.frame(name, (frame) => frame.command === name && !("state" in frame))).data;
    }

    async ask(command, data) {
        const state = ++this.state;
        this.socket.send(JSON.stringify({ command, state, data }));
        const frame = await this.frame(command, (frame) => frame.state === state);
        assert.ok(!frame.error, `${command}: ${JSON.stringify(frame.error)}`);
        return frame.data;
    }
}

async function run() {
    const [ada, ben] = await check("registers two, and logs in", async () => {
        const made = [];
        for (const name of ["nodea", "nodeb"]) {
            const login = { username: `${name}_${suffix}`, password };
            await call("POST", "/api/auth/register", login, null, 201);
            made.push(await call("POST", "/api/auth/login", login));
        }
        return made;
    });

    const world = await check("makes a world and uploads an asset of it", async () => {
        const world = (await call("PUT", "/api/worlds", { title: "By Node" }, ada.token, 201)).id;
        const build = { version: "1", engine: "unity", platform: "linux" };
        const asset = (await call("PUT", `/api/worlds/${world}/assets`, build, ada.token, 201)).id;
        const content = crypto.randomBytes(500000);
        const file = `/api/worlds/${world}/assets/${asset}/file`;
        const digest = crypto.createHash("sha256").update(content).digest("hex");
        assert.strictEqual((await call("POST", file, content, ada.token)).hash, digest);
        const part = await fetch(`http://${address}${file}`, { headers: { Range: "bytes=1000-1999" } });
        assert.strictEqual(part.status, 206);
        assert.ok(Buffer.from(await part.arrayBuffer()).equals(content.subarray(1000, 2000)));
        return world;
    });

    const room = await check("makes an instance of it", async () =>
        (await call("PUT", "/api/instances", { world }, ada.token, 201)).id);

    const [first, second, resume] = await check("opens two sockets, logged in by the upgrade and by a command", async () => {
        const first = new Session({ headers: { Authorization: `Bearer ${ada.token}` } });
        const second = new Session();
        await Promise.all([first.open, second.open]);
        assert.strictEqual(first.socket.protocol, "avr.1");
        await first.event("authenticated");
        await second.ask("authenticate", { token: ben.token });
        return [first, second, (await second.event("authenticated")).resume];
    });

    await check("pings by a frame and by a command", async () => {
        const pong = new Promise((done) => first.socket.once("pong", (bytes) => done(bytes.toString())));
        first.socket.ping("tick");
        assert.strictEqual(await pong, "tick");
        assert.strictEqual((await first.ask("ping", { time: 3 })).client, 3);
    });

    const [me, other] = await check("enters with both, and the first hears of the second", async () => {
        const me = (await first.ask("instance-join", { instance: room })).player.id;
        const other = (await second.ask("instance-join", { instance: room })).player.id;
        assert.strictEqual((await first.event("instance-joined")).player.id, other);
        return [me, other];
    });

    await check("says something, which the other hears", async () => {
        await first.ask("instance-data", { instance: room, data: { say: "good evening" } });
        assert.deepStrictEqual(await second.event("instance-data"),
            { instance: room, player: me, data: { say: "good evening" } });
    });

    await check("drops without a goodbye, comes back and hears what it missed", async () => {
        second.socket.terminate();
        await second.closed;
        await first.ask("instance-data", { instance: room, data: { say: "are you there?" } });
        const back = new Session();
        await back.open;
        const answer = await back.ask("authenticate", { token: ben.token, resume, last: second.last });
        assert.deepStrictEqual([answer.resumed, answer.replayed], [true, true]);
        assert.deepStrictEqual((await back.event("instance-data")).data, { say: "are you there?" });
        await back.ask("instance-leave", { instance: room });
        assert.strictEqual((await first.event("instance-left")).player, other);
        back.socket.close(1000);
        assert.strictEqual(await back.closed, 1000);
    });

    first.socket.close(1000);
    await first.closed;
}

run();
