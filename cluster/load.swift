// The load generator of cluster/bench: client sockets by the thousand from one thread and one epoll.
//
// It shares no code with the server, so that it shares no mistake with it, and does as little as it
// can for each frame it receives, so that it is never what is measured. Built by cluster/bench:
// swiftc -O -swift-version 6 -parse-as-library -I Sources/Shared/CSystem cluster/load.swift
//
//   load room --address HOST:PORT --members FILE [--hz 20] [--warm 2] [--seconds 10]
//       FILE has a line for each socket, its token and its instance. All enter, then each sends a
//       transform at that rate, spread over the period, and checks what comes from the others of its
//       instance: nothing twice or out of order, nothing missing, nothing from elsewhere, how old.
//       What a newer one of the same sender replaced (the contract allows it) is `conflated`; what
//       nothing came after is `missing`.
//       Prints `measuring`, `measured`, then one line of JSON.
//   load idle --address HOST:PORT --members FILE
//       Opens a socket for each line (a token), waits until each is authenticated, prints `holding`,
//       answers pings until its stdin ends, then prints one line of JSON.
//   Both: --sources K (addresses 127.0.0.2, … to connect from, for the limit of ports), --tls CA.

import CLinux
import COpenSSL
import Glibc

func fail(_ text: String) -> Never {
    say("load: \(text)\n", to: 2)
    exit(1)
}

func say(_ text: String, to descriptor: Int32) {
    let bytes = Array(text.utf8)
    _ = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
}

/// Nanoseconds of the clock that never steps.
func monotonic() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

func unixMilliseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

struct Options {
    var mode = ""
    var host = ""
    var port: UInt16 = 0
    var members: [(token: String, instance: String)] = []
    var hertz = 20
    var warm = 2
    var seconds = 10
    var sources = 1
    var authority: String?

    init(_ words: [String]) {
        guard words.count > 1, words[1] == "room" || words[1] == "idle" else {
            fail("room or idle? the first lines of cluster/load.swift explain both")
        }
        mode = words[1]
        var index = 2
        while index + 1 < words.count {
            let value = words[index + 1]
            func number() -> Int {
                guard let number = Int(value), number > 0 else {
                    fail("\(words[index]) \(value): a positive number would be accepted")
                }
                return number
            }
            switch words[index] {
            case "--address":
                let parts = value.split(separator: ":")
                guard parts.count == 2, let port = UInt16(parts[1]) else {
                    fail("--address \(value)")
                }
                host = String(parts[0])
                self.port = port
            case "--members": members = Options.read(value, instances: mode == "room")
            case "--hz": hertz = number()
            case "--warm": warm = number()
            case "--seconds": seconds = number()
            case "--sources": sources = number()
            case "--tls": authority = value
            default: fail("unknown option \(words[index])")
            }
            index += 2
        }
        guard port != 0, !members.isEmpty else { fail("--address and --members are needed") }
    }

    static func read(_ path: String, instances: Bool) -> [(token: String, instance: String)] {
        guard let file = fopen(path, "r") else { fail("\(path) does not open") }
        defer { fclose(file) }
        var found: [(String, String)] = []
        var line = [CChar](repeating: 0, count: 8192)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(
                decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let words = text.split { $0 == " " || $0 == "\n" }.map(String.init)
            if words.isEmpty { continue }
            guard words.count >= (instances ? 2 : 1) else {
                fail("\(path): TOKEN INSTANCE expected")
            }
            found.append((words[0], words.count > 1 ? words[1] : ""))
        }
        return found
    }
}

/// Counts by size, each bucket at most a thirty-second of its value wide; microseconds.
struct Histogram {
    private var buckets = [Int](repeating: 0, count: 32 * 32)
    private(set) var count = 0
    private(set) var greatest = 0

    mutating func add(_ value: Int) {
        let value = max(value, 0)
        greatest = max(greatest, value)
        count += 1
        let magnitude = max(0, Int.bitWidth - value.leadingZeroBitCount - 6)
        buckets[min(magnitude * 32 + value >> magnitude, buckets.count - 1)] += 1
    }

    /// The upper end of the bucket in which the share of all values is reached.
    func quantile(_ share: Double) -> Int {
        let wanted = Int((Double(count) * share).rounded(.up))
        var seen = 0
        for (index, bucket) in buckets.enumerated() where bucket > 0 {
            seen += bucket
            if seen >= wanted {
                // The values of magnitude m > 0 fill the buckets from 32m + 32 to 32m + 63.
                let magnitude = index < 64 ? 0 : index / 32 - 1
                return min(((index - magnitude * 32 + 1) << magnitude) - 1, greatest)
            }
        }
        return greatest
    }
}

enum Phase { case upgrading, opening, open, closed }

/// One client socket. What it may keep between two reads is the piece of a frame at the end.
final class Client {
    let index: Int
    let descriptor: Int32
    var phase = Phase.upgrading
    var tls: OpaquePointer?
    var kept: [UInt8] = []
    var unsent: [UInt8] = []
    var sequence = 0
    /// The members of its instance by number, and its own number among them.
    var room = 0
    var seat = 0

    init(index: Int, descriptor: Int32) {
        self.index = index
        self.descriptor = descriptor
    }
}

final class Load {
    let options: Options
    let poll: Int32
    let timer: Int32
    let tls: OpaquePointer?
    var clients: [Client] = []
    var connected = 0
    var ready = 0
    var closed = 0
    var firstClose = ""

    /// One read fills at most this much; the front is what a client kept of the read before.
    let buffer = UnsafeMutablePointer<UInt8>.allocate(capacity: Load.room + Load.room)
    static let room = 512 * 1024
    let out = UnsafeMutablePointer<UInt8>.allocate(capacity: 4096)

    /// The newest number that a seat got from each seat of its room: `base + seat * size + sender`.
    var newest: [Int32] = []
    var rooms: [(base: Int, members: [Int])] = []
    var templates: [[UInt8]] = []

    var measuring = false
    var deliveries = 0
    var disorder = 0
    var conflated = 0
    var misdirected = 0
    var others = 0
    var blocked = 0
    var ages = Histogram()
    var lags = Histogram()
    /// Where `"v":[` was in the last transform: the next one has it nearby.
    var hint = 0

    init(_ options: Options) {
        self.options = options
        poll = epoll_create1(0)
        timer = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_NONBLOCK))
        guard poll >= 0, timer >= 0 else { fail("no epoll or timer") }
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        guard options.members.count + 16 <= Int(limit.rlim_max) else {
            fail(
                "\(options.members.count) sockets do not fit the limit of \(limit.rlim_max) descriptors"
            )
        }
        tls = options.authority.map { authority in
            guard let context = SSL_CTX_new(TLS_client_method()),
                SSL_CTX_load_verify_locations(context, authority, nil) == 1
            else { fail("--tls \(authority) does not load") }
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
            // Release buffers, partial writes, moving write buffers: the macros of openssl/ssl.h.
            SSL_CTX_ctrl(context, SSL_CTRL_MODE, 0x10 | 0x1 | 0x2, nil)
            return context
        }
        watch(timer, events: EPOLLIN.rawValue, as: UInt64.max, EPOLL_CTL_ADD)
    }

    // Connecting.

    func watch(_ descriptor: Int32, events: UInt32, as name: UInt64, _ operation: Int32) {
        var event = epoll_event(events: events, data: epoll_data_t(u64: name))
        if epoll_ctl(poll, operation, descriptor, &event) != 0 {
            fail("epoll_ctl \(reileta_errno())")
        }
    }

    func address(_ host: String, _ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
            fail("\(host): an IPv4 address")
        }
        return address
    }

    /// A connected socket with its upgrade sent; on loopback connecting takes no time.
    func connect(_ index: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { fail("socket \(index): errno \(reileta_errno())") }
        var yes: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, size)
        if options.sources > 1 {
            // The port is chosen when connecting, by both ends, so that each source has all of them.
            setsockopt(descriptor, 0, 24 /* IP_BIND_ADDRESS_NO_PORT */, &yes, size)
            let source = address("127.0.0.\(2 + index % options.sources)", 0)
            let bound = withUnsafeBytes(of: source) {
                bind(
                    descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress,
                    socklen_t($0.count))
            }
            if bound != 0 { fail("bind: errno \(reileta_errno())") }
        }
        let target = address(options.host, options.port)
        let done = withUnsafeBytes(of: target) {
            Glibc.connect(
                descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress,
                socklen_t($0.count))
        }
        if done != 0 { fail("connect \(index): errno \(reileta_errno())") }
        let client = Client(index: index, descriptor: descriptor)
        if let tls {
            client.tls = SSL_new(tls)
            SSL_set_fd(client.tls, descriptor)
            // Blocking on purpose: the handshakes are the load while sockets are opened.
            guard SSL_connect(client.tls) == 1 else { fail("handshake \(index) failed") }
        }
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        clients.append(client)
        watch(descriptor, events: EPOLLIN.rawValue, as: UInt64(index), EPOLL_CTL_ADD)
        let request =
            "GET /api/ws HTTP/1.1\r\nHost: \(options.host):\(options.port)\r\nUpgrade: websocket\r\n"
            + "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: avr.1\r\nUser-Agent: load/1 AVR(User)\r\n"
            + "Authorization: Bearer \(options.members[index].token)\r\n\r\n"
        let bytes = Array(request.utf8)
        bytes.withUnsafeBytes { send(client, $0) }
        connected += 1
    }

    /// Opens all, so many at a time that the server's queue of connections never overflows.
    func openAll() {
        let began = monotonic()
        while ready < options.members.count {
            while connected < options.members.count, connected - ready < 64 { connect(connected) }
            turn(milliseconds: 100)
            if closed > 0 { fail("a socket was closed while opening: \(firstClose)") }
            if monotonic() - began > 300_000_000_000 {
                fail("only \(ready) of \(options.members.count) sockets open after 300 s")
            }
        }
    }

    // Writing.

    func send(_ client: Client, _ bytes: UnsafeRawBufferPointer) {
        guard client.unsent.isEmpty else {
            client.unsent.append(contentsOf: bytes)
            return
        }
        let count = bytes.count
        let sent =
            client.tls == nil
            ? Glibc.send(client.descriptor, bytes.baseAddress, count, Int32(MSG_NOSIGNAL))
            : Int(SSL_write(client.tls, bytes.baseAddress, Int32(count)))
        if sent == count { return }
        blocked += 1
        client.unsent.append(contentsOf: bytes.dropFirst(max(sent, 0)))
        watch(
            client.descriptor, events: EPOLLIN.rawValue | EPOLLOUT.rawValue,
            as: UInt64(client.index),
            EPOLL_CTL_MOD)
    }

    func sendRest(_ client: Client) {
        let bytes = client.unsent
        client.unsent = []
        watch(client.descriptor, events: EPOLLIN.rawValue, as: UInt64(client.index), EPOLL_CTL_MOD)
        if !bytes.isEmpty {
            bytes.withUnsafeBytes { send(client, $0) }
        }
    }

    /// A masked frame around `count` bytes that already lie at `out + 8`.
    func sendFrame(_ client: Client, opcode: UInt8, _ count: Int) {
        let head = count < 126 ? 6 : 8
        let start = out + (8 - head)
        start[0] = 0x80 | opcode
        if count < 126 {
            start[1] = 0x80 | UInt8(count)
        } else {
            start[1] = 0x80 | 126
            start[2] = UInt8(count >> 8)
            start[3] = UInt8(count & 0xFF)
        }
        let mask = UInt32(truncatingIfNeeded: monotonic()) | 0x0101_0101
        for index in 0..<4 {
            out[4 + index] = UInt8(truncatingIfNeeded: mask >> (8 * UInt32(index)))
        }
        for index in 0..<count { out[8 + index] ^= out[4 + index & 3] }
        send(client, UnsafeRawBufferPointer(start: start, count: head + count))
    }

    func sendText(_ client: Client, _ text: String) {
        var count = 0
        for byte in text.utf8 {
            out[8 + count] = byte
            count += 1
        }
        sendFrame(client, opcode: 1, count)
    }

    /// `"v"` carries the sequence, the sender, and the microseconds of the sending; `"a"` its seconds.
    func sendTransform(_ client: Client) {
        client.sequence += 1
        var at = 8
        func put(_ bytes: StaticString) {
            memcpy(out + at, bytes.utf8Start, bytes.utf8CodeUnitCount)
            at += bytes.utf8CodeUnitCount
        }
        func put(_ number: Int) {
            var digits = 1
            var power = 10
            while power <= number {
                power *= 10
                digits += 1
            }
            var rest = number
            for place in stride(from: digits - 1, through: 0, by: -1) {
                out[at + place] = 0x30 + UInt8(rest % 10)
                rest /= 10
            }
            at += digits
        }
        let template = templates[client.room]
        for byte in template {
            out[at] = byte
            at += 1
        }
        put("\"p\":[")
        put(client.seat % 16)
        put(".25,1.62,-")
        put(client.seat / 16)
        put(".5],\"r\":[0,0.7071,0,0.7071],\"v\":[")
        let now = monotonic() / 1000
        put(client.sequence)
        put(",")
        put(client.index)
        put(",")
        put(now % 1_000_000)
        put("],\"a\":[")
        put(now / 1_000_000 % 1_000_000)
        put(",0,0],\"at\":")
        put(unixMilliseconds())
        put("}}")
        sendFrame(client, opcode: 1, at - 8)
    }

    // Reading.

    func turn(milliseconds: Int32) {
        withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: 256) { events in
            let count = epoll_wait(poll, events.baseAddress, 256, milliseconds)
            for index in 0..<max(Int(count), 0) {
                let event = events[index]
                if event.data.u64 == UInt64.max {
                    var times: UInt64 = 0
                    _ = Glibc.read(timer, &times, 8)
                } else {
                    let client = clients[Int(event.data.u64)]
                    if event.events & EPOLLOUT.rawValue != 0 { sendRest(client) }
                    if event.events & ~EPOLLOUT.rawValue != 0 { read(client) }
                }
                sendDue()
            }
        }
        sendDue()
    }

    func read(_ client: Client) {
        guard client.phase != .closed else { return }
        repeat {
            let kept = client.kept.count
            let got =
                client.tls == nil
                ? recv(client.descriptor, buffer + kept, Load.room, 0)
                : Int(SSL_read(client.tls, buffer + kept, Int32(Load.room)))
            if got <= 0 {
                let again =
                    client.tls == nil
                    ? got < 0 && reileta_errno() == EAGAIN
                    : SSL_get_error(client.tls, Int32(got)) == SSL_ERROR_WANT_READ
                if !again { ended(client, "without a closing frame") }
                return
            }
            for index in 0..<kept { buffer[index] = client.kept[index] }
            client.kept.removeAll(keepingCapacity: true)
            let count = kept + got
            var position = 0
            if client.phase == .upgrading {
                position = readUpgrade(client, count)
                if position == 0 {
                    client.kept.append(contentsOf: UnsafeBufferPointer(start: buffer, count: count))
                    return
                }
            }
            position = readFrames(client, from: position, to: count)
            if client.phase == .closed { return }
            if position < count {
                client.kept.append(
                    contentsOf: UnsafeBufferPointer(
                        start: buffer + position, count: count - position))
            }
        } while client.tls != nil
    }

    func ended(_ client: Client, _ why: String) {
        guard client.phase != .closed else { return }
        client.phase = .closed
        closed += 1
        if firstClose.isEmpty { firstClose = why }
        epoll_ctl(poll, EPOLL_CTL_DEL, client.descriptor, nil)
        close(client.descriptor)
    }

    /// Where the frames begin, 0 while the answer to the upgrade is not all there.
    func readUpgrade(_ client: Client, _ count: Int) -> Int {
        guard let end = find("\r\n\r\n", from: 0, to: count) else { return 0 }
        guard find(" 101 ", from: 0, to: min(count, 32)) != nil else {
            fail("upgrade refused: \(text(0, count))")
        }
        client.phase = .opening
        return end + 4
    }

    func readFrames(_ client: Client, from start: Int, to end: Int) -> Int {
        var position = start
        let now = monotonic() / 1000
        while end - position >= 2 {
            var head = 2
            var length = Int(buffer[position + 1] & 0x7F)
            if length == 126 {
                guard end - position >= 4 else { break }
                length = Int(buffer[position + 2]) << 8 | Int(buffer[position + 3])
                head = 4
            } else if length == 127 {
                guard end - position >= 10 else { break }
                length = (2..<10).reduce(0) { $0 << 8 | Int(buffer[position + $1]) }
                head = 10
                if length > Load.room - 16 { fail("a frame of \(length) bytes") }
            }
            guard end - position >= head + length else { break }
            let payload = position + head
            switch buffer[position] {
            case 0x81: readText(client, payload, payload + length, now)
            case 0x89:
                memcpy(out + 8, buffer + payload, length)
                sendFrame(client, opcode: 10, length)
            case 0x8A: break
            case 0x88:
                let code =
                    length >= 2 ? Int(buffer[payload]) << 8 | Int(buffer[payload + 1]) : 1005
                ended(client, "\(code) \(text(payload + min(2, length), payload + length))")
                return end
            default: fail("a frame that begins with \(buffer[position])")
            }
            position = payload + length
        }
        return position
    }

    func readText(_ client: Client, _ start: Int, _ end: Int, _ now: Int) {
        if find("\"instance-transform\"", from: start, to: min(end, start + 96)) != nil {
            readTransform(client, start, end, now)
            return
        }
        others += 1
        if client.phase == .opening { progress(client, start, end) }
    }

    func readTransform(_ client: Client, _ start: Int, _ end: Int, _ now: Int) {
        // Numbers grow and shrink by a digit: begin a little before where it was the last time.
        guard
            let values = find("\"v\":[", from: start + max(hint - 24, 0), to: end)
                ?? find("\"v\":[", from: start, to: end)
        else { fail("a transform without v: \(text(start, end))") }
        hint = values - start
        var position = values + 5
        let sequence = number(&position, end)
        let sender = number(&position, end)
        let micros = number(&position, end)
        guard let seconds = find("\"a\":[", from: position, to: end) else {
            fail("a transform without a: \(text(start, end))")
        }
        position = seconds + 5
        let age = now - (number(&position, end) * 1_000_000 + micros)
        guard sender < clients.count, clients[sender].room == client.room, sender != client.index
        else {
            misdirected += 1
            return
        }
        let size = rooms[client.room].members.count
        let at = rooms[client.room].base + client.seat * size + clients[sender].seat
        let before = Int(newest[at])
        if sequence <= before {
            disorder += 1
        } else {
            conflated += sequence - before - 1
            newest[at] = Int32(sequence)
        }
        if measuring {
            deliveries += 1
            ages.add(age)
        }
    }

    /// The number at `position`, which moves behind it and its comma; a fraction is dropped.
    func number(_ position: inout Int, _ end: Int) -> Int {
        var value = 0
        while position < end, buffer[position] >= 0x30, buffer[position] <= 0x39 {
            value = value * 10 + Int(buffer[position] - 0x30)
            position += 1
        }
        while position < end, buffer[position] != 0x2C, buffer[position] != 0x5D { position += 1 }
        position += 1
        return value
    }

    func find(_ needle: StaticString, from start: Int, to end: Int) -> Int? {
        let count = needle.utf8CodeUnitCount
        var position = start
        // The second byte is rarer than the quote or the line end that most needles begin with.
        while position + count <= end {
            if buffer[position + 1] == needle.utf8Start[1],
                memcmp(buffer + position, needle.utf8Start, count) == 0
            {
                return position
            }
            position += 1
        }
        return nil
    }

    func text(_ start: Int, _ end: Int) -> String {
        String(
            decoding: UnsafeBufferPointer(start: buffer + start, count: min(end - start, 600)),
            as: UTF8.self)
    }

    /// From the upgrade to what the mode wants of each socket: authenticated, or in its instance.
    func progress(_ client: Client, _ start: Int, _ end: Int) {
        if find("\"authenticated\"", from: start, to: end) != nil {
            if options.mode == "idle" {
                client.phase = .open
                ready += 1
            } else {
                let instance = options.members[client.index].instance
                sendText(
                    client,
                    "{\"state\":\"j\",\"command\":\"instance-join\",\"data\":{\"instance\":\"\(instance)\"}}"
                )
            }
        } else if find("\"state\":\"j\"", from: start, to: end) != nil {
            // An error stands before any snapshot could hold the word.
            if find("\"error\":", from: start, to: end) != nil {
                fail("join refused: \(text(start, end))")
            }
            client.phase = .open
            ready += 1
        }
    }

    // The run.

    var period = 0
    var began = 0
    var stopsAt = 0
    var nextSend = 0  // counts all sends: the member is the remainder, the period the quotient

    func due(_ send: Int) -> Int {
        began + send / clients.count * period + send % clients.count * period / clients.count
    }

    func sendDue() {
        guard stopsAt > 0 else { return }
        var now = monotonic()
        var when = due(nextSend)
        guard when <= now else { return }
        while when <= now, when < stopsAt {
            if measuring { lags.add((now - when) / 1000) }
            let client = clients[nextSend % clients.count]
            if client.phase == .open { sendTransform(client) }
            nextSend += 1
            when = due(nextSend)
            now = monotonic()
        }
        if when >= stopsAt { return }
        var spec = itimerspec()
        spec.it_value = timespec(tv_sec: when / 1_000_000_000, tv_nsec: when % 1_000_000_000)
        timerfd_settime(timer, Int32(TFD_TIMER_ABSTIME), &spec, nil)
    }

    func seat() {
        var byInstance: [String: Int] = [:]
        for client in clients {
            let instance = options.members[client.index].instance
            let room = byInstance[instance] ?? rooms.count
            if room == rooms.count {
                byInstance[instance] = room
                rooms.append((0, []))
                templates.append(
                    Array(
                        "{\"command\":\"instance-transform\",\"subgroup\":\"\(instance)\",\"data\":{\"path\":\"p:@me/body\","
                            .utf8))
            }
            client.room = room
            client.seat = rooms[room].members.count
            rooms[room].members.append(client.index)
        }
        var base = 0
        for room in rooms.indices {
            rooms[room].base = base
            base += rooms[room].members.count * rooms[room].members.count
        }
        newest = Array(repeating: 0, count: base)
    }

    func cpuMilliseconds() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000
            + Int(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000
    }

    func tell(_ line: String) {
        say(line + "\n", to: 1)
    }

    func runUntil(_ end: Int) {
        while true {
            let left = end - monotonic()
            if left <= 0 { return }
            turn(milliseconds: Int32(min(left / 1_000_000 + 1, 100)))
        }
    }

    func runRoom() {
        openAll()
        seat()
        period = 1_000_000_000 / options.hertz
        began = monotonic() + 100_000_000
        let measureFrom = began + options.warm * 1_000_000_000
        stopsAt = measureFrom + options.seconds * 1_000_000_000
        runUntil(measureFrom)
        measuring = true
        let cpu = cpuMilliseconds()
        tell("measuring")
        runUntil(stopsAt)
        measuring = false
        let spent = cpuMilliseconds() - cpu
        tell("measured")
        // What is still under way may arrive; the measurement is over.
        runUntil(monotonic() + 1_500_000_000)
        var missing = 0
        var expected = 0
        for room in rooms {
            for (seat, _) in room.members.enumerated() {
                for (other, sender) in room.members.enumerated() where other != seat {
                    let last = Int(newest[room.base + seat * room.members.count + other])
                    expected += clients[sender].sequence
                    missing += clients[sender].sequence - last
                }
            }
        }
        tell(
            "{\"members\":\(clients.count),\"rooms\":\(rooms.count),\"seconds\":\(options.seconds)"
                + ",\"deliveries\":\(deliveries),\"expected\":\(expected),\"missing\":\(missing)"
                + ",\"conflated\":\(conflated),\"disorder\":\(disorder),\"misdirected\":\(misdirected),\"closed\":\(closed)"
                + ",\"close\":\"\(firstClose)\",\"blocked\":\(blocked),\"others\":\(others)"
                + ",\"age_us\":\(summary(ages)),\"lag_us\":\(summary(lags)),\"cpu_ms\":\(spent)}")
    }

    func summary(_ histogram: Histogram) -> String {
        "{\"p50\":\(histogram.quantile(0.5)),\"p99\":\(histogram.quantile(0.99))"
            + ",\"p999\":\(histogram.quantile(0.999)),\"max\":\(histogram.greatest)}"
    }

    func runIdle() {
        openAll()
        tell("holding")
        var input = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
        while true {
            turn(milliseconds: 200)
            if Glibc.poll(&input, 1, 0) > 0 {
                var byte: UInt8 = 0
                if Glibc.read(0, &byte, 1) <= 0 { break }
            }
        }
        tell("{\"sockets\":\(ready),\"closed\":\(closed),\"close\":\"\(firstClose)\"}")
    }
}

@main
enum Main {
    static func main() {
        signal(SIGPIPE, SIG_IGN)
        let load = Load(Options(CommandLine.arguments))
        if load.options.mode == "room" { load.runRoom() } else { load.runIdle() }
    }
}
