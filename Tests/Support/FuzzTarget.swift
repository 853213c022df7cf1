import API
import Base
import Crypto
import Domain
import Federation
import HTTP

/// One parser or machine under bytes that mean it harm: `run` traps when a rule does not hold that
/// must hold for every input. The unit tests run each for a moment, libFuzzer for hours.
public struct FuzzTarget: Sendable {
    /// Its name on the command line.
    public let name: String
    /// Good inputs, from which mutations start.
    public let samples: [String]
    /// Tries one input.
    public let run: @Sendable ([UInt8]) -> Void

    init(_ name: String, samples: [String], run: @escaping @Sendable ([UInt8]) -> Void) {
        self.name = name
        self.samples = samples
        self.run = run
    }

    /// All of them.
    public static let all = [
        json, server, client, serverSocket, clientSocket, forms, ranges, addresses, rooms, tokens,
        documents, signatures, tables,
    ]

    /// Fails on some inputs on purpose: who never sees it fail has a fuzzer that finds nothing.
    public static let canary = FuzzTarget("canary", samples: ["a canary sings"]) { input in
        precondition(!(input.count > 3 && input[0] == 0xF0 && input[1] < 0x80), "the canary")
    }

    /// What was read is written and read as the same, and the canonical form of itself is itself.
    static let json = FuzzTarget(
        "json",
        samples: [
            #"{"a":[1,-2.5e3,true,null,"\u00e9\ud83d\ude00"],"b":{"c":"\\\"\/\n"}}"#,
            #"[0.1,1e21,9007199254740993,-0,"",{}]"#,
        ]
    ) { input in
        guard let value = try? JSONParser.parse(input) else { return }
        var writer = ByteWriter()
        writer.append(json: value)
        // By canonical form: what was read as 1e2 is written as 100, and read as an integer.
        let canonical = CanonicalJSON.encode(value)
        precondition(
            (try? JSONParser.parse(writer.array())).map { CanonicalJSON.encode($0) } == canonical,
            "read as something else than was written")
        if let again = try? JSONParser.parse(canonical) {
            precondition(CanonicalJSON.encode(again) == canonical, "another canonical form")
        } else {
            preconditionFailure("the canonical form is no JSON")
        }
    }

    /// What was read is written and read as the same.
    static let tables = FuzzTarget(
        "tables", samples: ["a,b\r\n1,\"x \"\"y\"\", z\n\"\r\n,\r\n", "\u{feff}#a\n\"\"\n"]
    ) { input in
        guard let rows = try? CSV.parse(input) else { return }
        precondition(
            (try? CSV.parse(CSV.write(rows))) == rows, "read as something else than was written")
    }

    /// However the bytes are cut, the machine sees the same requests and answers the same.
    static let server = FuzzTarget(
        "server",
        samples: [
            "\u{5}GET /api/time?x=1 HTTP/1.1\r\nHost: a:1\r\n\r\nGET / HTTP/1.0\r\n\r\n",
            "\u{9}POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloHEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\u{3}PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n",
        ]
    ) { input in
        comparingCuts(input, ending: [10]) { pieces in
            var driver = ServerDriver()
            for piece in pieces { driver.receive(piece) }
            return driver.seen
        }
    }

    /// The same for what a server answers.
    static let client = FuzzTarget(
        "client",
        samples: [
            "\u{7}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "\u{4}HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "\u{2}HTTP/1.0 404 Not Found\r\n\r\nuntil the end",
        ]
    ) { input in
        comparingCuts(input, ending: [10]) { pieces in
            var driver = ClientDriver()
            for piece in pieces { driver.receive(piece) }
            driver.end()
            return driver.seen
        }
    }

    static let serverSocket = FuzzTarget(
        "server-socket",
        samples: [
            "\u{3}\u{1}\u{0}\u{0}\u{0}\u{0}\u{0}", "\u{8}\u{9}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}",
        ]
    ) { socket($0, .server) }

    static let clientSocket = FuzzTarget(
        "client-socket", samples: ["\u{2}\u{1}\u{2}hi\u{9}\u{0}", "\u{1}\u{8}\u{2}\u{3}\u{3E}"]
    ) { socket($0, .client) }

    /// However a form is cut, the same file comes out of it; little is held on the way.
    static let forms = FuzzTarget(
        "forms",
        samples: [
            "\u{7}--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n--b--\r\n",
            "\u{3}--b\r\nContent-Disposition: form-data; name=other\r\n\r\n1\r\n--b\r\n\r\n",
        ]
    ) { input in
        comparingCuts(input) { pieces in
            guard let type = MediaType("multipart/form-data; boundary=b".utf8.map { $0 }[...]),
                var parser = MultipartParser(type)
            else { preconditionFailure("the type of the form was not taken") }
            var seen: [String] = []
            var file: [UInt8] = []
            for piece in pieces {
                parser.receive(piece)
                while let effect = parser.next() {
                    if case .bytes(let bytes) = effect {
                        file += bytes
                    } else {
                        seen.append("\(effect)")
                    }
                }
                precondition(parser.heldBytes <= 2 * MultipartParser.longestHead, "holds too much")
            }
            return seen + (seen.last == "malformed" ? [] : ["\(file)"])
        }
    }

    /// Whatever is asked, what is sent lies in the file.
    static let ranges = FuzzTarget(
        "ranges", samples: ["bytes=0-99,-5, 200-", "bytes 0-4/10", "bytes */7"]
    ) { input in
        for size in [Int64(0), 1, 1_000, 1 << 50] {
            if case .parts(let parts) = ByteRange.parse(input[...], size: size) {
                precondition(parts.count <= ByteRange.mostParts, "too many parts")
                for part in parts {
                    precondition(part.lowerBound >= 0 && part.upperBound <= size, "outside")
                    precondition(!part.isEmpty, "an empty part")
                }
            }
        }
        if let range = ContentRange(input[...]) {
            precondition(ContentRange(Array(range.text.utf8)[...]) == range, "another range")
        }
    }

    private static let now = Timestamp(milliseconds: 1_800_000_000_000)
    private static let node: NodeIdentity = {
        guard let pair = Ed25519PrivateKey(seed: Secret([UInt8](repeating: 1, count: 32))),
            let address = ServerAddress("b.example")
        else { preconditionFailure("constants that are none") }
        return NodeIdentity(
            address: address, secure: true, gateway: Gateway(secure: true, address: address),
            gateways: [], version: "1",
            keys: [
                NodeIdentity.Key(pair: pair, createdAt: now, expiresAt: now + .seconds(86_400))
            ])
    }()

    /// Nobody makes another document by the node's key.
    static let documents = FuzzTarget(
        "documents",
        samples: [String(decoding: DiscoveryDocument.write(node, now: now), as: UTF8.self)]
    ) { input in
        guard
            let document = try? DiscoveryDocument(reading: input, of: node.address, now: now)
        else { return }
        if document.keys.contains(where: { $0.key == node.keys[0].pair.publicKey }) {
            precondition(document.gateways == node.gateways, "a document that nobody signed")
        }
    }

    /// Nobody makes another request by the node's key.
    static let signatures = FuzzTarget(
        "signatures", samples: [signedRequest]
    ) { input in
        var machine = ServerMachine(now: Instant(nanoseconds: 0))
        machine.receive(input.span, now: Instant(nanoseconds: 0))
        guard case .request(let head)? = machine.next(now: Instant(nanoseconds: 0)) else { return }
        guard
            let claim = try? RequestSignature.read(
                head, body: [], authorities: node.authorities, now: now)
        else { return }
        if claim.holds(by: node.keys[0].pair.publicKey) {
            precondition(
                head.path.elementsEqual("/api/challenges".utf8)
                    && head.field(.authorization)?.elementsEqual("Bearer x".utf8) == true,
                "a request that nobody signed")
        }
    }

    private static let signedRequest: String = {
        let digest = RequestSignature.digest(of: [])
        let signed = RequestSignature.sign(
            RequestSignature.Parts(
                method: "GET", authority: "b.example", path: "/api/challenges", query: "?",
                digest: digest, authorization: "Bearer x"),
            with: node.keys[0].pair, nonce: [UInt8](0..<16), now: now)
        return "GET /api/challenges HTTP/1.1\r\nHost: b.example\r\nAuthorization: Bearer x\r\n"
            + "Content-Digest: \(digest)\r\nSignature-Input: \(signed.input)\r\n"
            + "Signature: \(signed.signature)\r\n\r\n"
    }()

    /// A spelling that is taken is written as itself, and read as the same again.
    static let addresses = FuzzTarget(
        "addresses",
        samples: [
            "Example.ORG:443", "[2001:db8::1]:80", "127.0.0.1:3032", "xn--bcher-kva.example",
            "w_018f3c2e-9b7a-7c3d-8e4f-0123456789ab:1.0@a.example:3032",
        ]
    ) { input in
        let text = String(decoding: input, as: UTF8.self)
        if let address = ServerAddress(text) {
            precondition(ServerAddress(address.description) == address, "another address")
        }
        if let ip = IPAddress(text) {
            precondition(IPAddress(ip.description) == ip, "another IP address")
        }
        if let user = UserReference(text) {
            precondition(UserReference(user.description) == user, "another user")
        }
        if let world = WorldReference(text) {
            precondition(WorldReference(world.description) == world, "another world")
        }
        _ = NetworkRange(text)
    }

    /// What an Ins sends may be anything: ranges that come out lie in the frame.
    static let rooms = FuzzTarget(
        "rooms", samples: ["\u{1}aaaaaaaaaaaaaaaabbbbbbbb\u{0}\u{0}\u{0}\u{0}", "\u{2}"]
    ) { input in
        if let batch = try? RoomBatch(reading: input) {
            for segment in batch.segments {
                precondition(segment.range.upperBound <= batch.bytes.count, "beyond the frame")
            }
        }
        for entry in (try? RoomCommands.read(input)) ?? [] {
            precondition(entry.range.upperBound <= input.count, "beyond the frame")
        }
    }

    /// No token is taken that a key nobody knows has signed.
    static let tokens = FuzzTarget(
        "tokens", samples: ["eyJhbGciOiJIUzI1NiIsInR5cCI6ImF2citqd3QiLCJraWQiOiJrIn0.e30.AAAA"]
    ) { input in
        let keys = ["k": Secret(SHA256.hash([7]).bytes)]
        let claims = try? JWT.verify(input, keys: keys, now: Timestamp(milliseconds: 0))
        precondition(claims == nil, "a forged token was taken")
    }

    private static func socket(_ input: [UInt8], _ role: WebSocketMachine.Role) {
        comparingCuts(input) { pieces in
            var machine = WebSocketMachine(
                role: role, random: SeededRandom(seed: 1), now: Instant(nanoseconds: 0))
            var output = ByteWriter()
            var seen: [String] = []
            let now = Instant(nanoseconds: 0)
            for piece in pieces {
                machine.receive(piece.span, now: now)
                while let effect = machine.next(now: now, into: &output) {
                    seen.append("\(effect)")
                }
            }
            machine.receiveEnd(now: now)
            while let effect = machine.next(now: now, into: &output) { seen.append("\(effect)") }
            seen.append("\(output.array())")
            return seen
        }
    }

    /// The first byte says where to cut: the rest in one piece and in pieces must look the same.
    /// A bad line may be refused before its end or with it, so `ending` brings the last to one.
    private static func comparingCuts(
        _ input: [UInt8], ending: [UInt8] = [], _ drive: ([[UInt8]]) -> [String]
    ) {
        guard let size = input.first.map({ Int($0) % 64 + 1 }) else { return }
        let bytes = Array(input.dropFirst()) + ending
        let pieces = stride(from: 0, to: bytes.count, by: size).map {
            Array(bytes[$0..<min($0 + size, bytes.count)])
        }
        let whole = drive([bytes])
        let cut = drive(pieces)
        precondition(
            whole == cut,
            "whole: \(whole)\ncut by \(size): \(cut)\n\(String(decoding: bytes, as: UTF8.self).debugDescription)"
        )
    }
}

/// A shell that answers every request at once, with nothing, when its body was read.
private struct ServerDriver: ~Copyable {
    var machine = ServerMachine(now: Instant(nanoseconds: 0))
    var output = ByteWriter()
    var seen: [String] = []
    var body: [UInt8]?
    var isOver = false
    let now = Instant(nanoseconds: 0)
    static let date = [UInt8]("Thu, 01 Jan 1970 00:00:00 GMT".utf8)

    mutating func receive(_ piece: [UInt8]) {
        guard !isOver else { return }
        machine.receive(piece.span, now: now)
        perform()
    }

    mutating func perform() {
        while !isOver, let effect = machine.next(now: now) {
            switch effect {
            case .request(let head):
                seen.append(
                    "\(String(decoding: head.methodBytes, as: UTF8.self)) "
                        + String(decoding: head.targetBytes, as: UTF8.self))
                body = []
            case .reject:
                // Which of several wrong things is seen first may depend on the cuts.
                seen.append("reject")
                answer()
            case .sendContinue, .bodyReady: break
            case .upgrade: isOver = true
            case .shutdownWrite: seen.append("shutdown")
            case .close, .abort:
                seen.append("\(effect)")
                isOver = true
            }
            readBody()
        }
    }

    mutating func readBody() {
        while let have = body {
            switch machine.takeBody(now: now) {
            case .bytes(let bytes): body = have + bytes
            case .wait: return
            case .end:
                seen.append("body \(have)")
                body = nil
                answer()
            case .failed(let error):
                seen.append("body failed: \(error)")
                body = nil
                machine.abortResponse()
            }
        }
    }

    mutating func answer() {
        _ = try? machine.beginResponse(
            status: .ok, fields: Fields(), length: 0, date: Self.date, into: &output)
        machine.finishResponse(into: &output, now: now)
    }
}

/// A shell that has asked for something once.
private struct ClientDriver: ~Copyable {
    var machine = ClientMachine()
    var seen: [String] = []
    var body: [UInt8]?
    var isOver = false
    let now = Instant(nanoseconds: 0)

    init() {
        var output = ByteWriter()
        try? machine.beginRequest(
            method: .get, target: Array("/".utf8), fields: Fields((.host, "a")), length: 0,
            now: now,
            into: &output)
        _ = machine.finishRequest(into: &output, now: now)
    }

    mutating func receive(_ piece: [UInt8]) {
        guard !isOver else { return }
        machine.receive(piece.span, now: now)
        perform()
    }

    mutating func end() {
        guard !isOver else { return }
        machine.receiveEnd(now: now)
        perform()
        seen.append("end")
    }

    mutating func perform() {
        while !isOver, let effect = machine.next(now: now) {
            switch effect {
            case .response(let head):
                seen.append("response \(head.status)")
                body = []
            case .upgraded, .failed, .done:
                // What came behind the answer is no part of the exchange, and may be seen or not.
                if case .failed(let failure) = effect { seen.append("failed \(failure)") }
                isOver = true
            case .bodyReady, .sendBody: break
            }
            readBody()
        }
    }

    mutating func readBody() {
        while let have = body {
            switch machine.takeBody(now: now) {
            case .bytes(let bytes): body = have + bytes
            case .wait: return
            case .end:
                seen.append("body \(have)")
                body = nil
            case .failed(let error):
                seen.append("body failed: \(error)")
                body = nil
            }
        }
    }
}
