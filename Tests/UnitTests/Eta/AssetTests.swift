import Base
import Crypto
import Domain
import Eta
import HTTP
import Net
import Storage
import Testing

/// Assets and their bytes: nothing half-written, nothing kept that nobody needs, nothing unchecked.
struct AssetTests {
    private struct Place {
        let eta: TestRegistry
        let ada: Caller
        let assets: String
        let world: String

        init(_ settings: [String: String] = [:]) async throws {
            eta = try await TestRegistry(settings)
            let user = try await eta.user("ada_l")
            ada = .user(user)
            world = try await eta.world(of: user)
            assets = "/api/worlds/\(world)/assets"
        }

        /// The path of a new asset.
        func asset(_ version: String = "1") async throws -> String {
            let made = await eta.ask(
                "PUT", assets, as: ada,
                ["version": .string(version), "engine": "unity", "platform": "linux"])
            return assets + "/" + (try #require(made["id"]?.stringValue, "\(made.text)"))
        }

        func upload(
            _ asset: String, _ body: TestBody, query: String = "", fields: [String: String] = [:],
            chunked: Bool = false
        ) async -> TestAnswer {
            await eta.send(
                "POST", asset + "/file" + query, as: ada, fields: fields, chunked: chunked, body)
        }
    }

    private static let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    private static let hash = SHA256.hash(bytes).hex

    private static func pieces(_ bytes: some Collection<UInt8>, of size: Int) -> [[UInt8]] {
        var rest = Array(bytes)[...]
        var pieces: [[UInt8]] = []
        while !rest.isEmpty {
            pieces.append(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        return pieces
    }

    @Test func `labels are of the node's lists, and unique together`() async throws {
        let place = try await Place()
        let eta = place.eta
        let put = { (body: JSONValue) in
            await eta.ask("PUT", place.assets, as: place.ada, body)
        }
        let made = await put(["version": "1", "engine": "Unity", "platform": "linux"])
        #expect(made.status == 201 && made["empty"] == true && made["url"] == .null)
        #expect(await put(["version": "1", "engine": "Unity", "platform": "linux"]).code == 45)
        let foreign = await put(["version": "1", "engine": "abacus", "platform": "toaster"])
        #expect(foreign.code == 31 && Set(foreign.badFields) == ["engine", "platform"])
        let bad = await put(["version": "a b", "engine": "unity"])
        #expect(bad.code == 26 && Set(bad.badFields) == ["version", "platform"])
        let half = await put(
            ["version": "2", "engine": "unity", "platform": "web", "url": "https://f.example/x"])
        #expect(half.code == 26 && Set(half.badFields) == ["hash", "size"])
        let plain = await put(
            ["version": "2", "engine": "unity", "platform": "web", "url": "http://f.example/x"])
        #expect(plain.code == 26 && plain.badFields == ["url"])
        let bare = await put(
            ["version": "2", "engine": "unity", "platform": "web", "size": 3])
        #expect(bare.code == 26 && bare.badFields == ["url"])
        let eve = Caller.user(try await eta.user("eve_n"))
        let path = "\(place.assets)/\(made["id"]?.stringValue ?? "")"
        #expect(await eta.ask("GET", path).code == 27)
        #expect(await eta.ask("GET", path, as: place.ada).status == 200)
        #expect(await eta.ask("POST", path, as: eve, ["version": "3"]).code == 4)
        #expect(await eta.ask("DELETE", path, as: eve).code == 4)
        let second = try await place.asset("2")
        #expect(
            await eta.ask("POST", second, as: place.ada, ["engine": "Unity", "version": "1"]).code
                == 45)
        #expect(await eta.ask("GET", place.assets).items.isEmpty)
        #expect(await eta.ask("GET", place.assets + "?empty=true").items.isEmpty)
        #expect(await eta.ask("GET", place.assets + "?empty=true", as: place.ada).items.count == 2)
        #expect(
            await eta.ask("GET", place.assets + "?empty&version=2", as: place.ada).items.count == 1)
        #expect(await eta.ask("DELETE", path, as: place.ada).status == 200)
        #expect(await eta.ask("GET", path, as: place.ada).code == 27)
    }

    @Test func `a file elsewhere is pointed to, and can be pointed away from`() async throws {
        let place = try await Place()
        let asset = try await place.asset()
        #expect(await place.eta.ask("GET", asset + "/file").code == 46)
        let body: JSONValue = [
            "url": "https://files.example/a", "size": 4,
            "hash": .string(String(repeating: "AB", count: 32)),
        ]
        let set = await place.eta.ask("POST", asset, as: place.ada, body)
        #expect(set["empty"] == false && set["url"] == "https://files.example/a", "\(set.text)")
        #expect(set["hash"] == .string(String(repeating: "ab", count: 32)))
        let got = await place.eta.ask("GET", asset + "/file")
        #expect(
            got.status == 302 && got.response.fields[.location] == "https://files.example/a")
        let cleared = await place.eta.ask("POST", asset, as: place.ada, ["url": .null])
        #expect(cleared["empty"] == true && cleared["hash"] == .null)
    }

    @Test func `an upload comes back as it was sent, whole and in ranges`() async throws {
        let place = try await Place()
        let asset = try await place.asset()
        let digest = ContentDigest.field(sha256: SHA256.hash(Self.bytes).bytes)
        let sent = await place.upload(
            asset, TestBody(Self.pieces(Self.bytes, of: 70_001)),
            fields: ["Content-Digest": digest])
        #expect(sent.status == 200 && sent["hash"] == .string(Self.hash), "\(sent.text)")
        #expect(sent["size"] == 1_000_000 && sent["received"] == 1_000_000)
        let world = await place.eta.ask("GET", "/api/worlds/\(place.world)")
        #expect(world["assets"]?.arrayValue?.first?["hash"] == .string(Self.hash))

        let file = asset + "/file"
        let got = await place.eta.ask("GET", file)
        let fields = got.response.fields
        #expect(got.file == Self.bytes && fields[.eTag] == "\"\(Self.hash)\"")
        #expect(fields[.contentType] == "application/octet-stream")
        #expect(fields[.contentDisposition]?.hasPrefix("attachment; filename=") == true)
        #expect(fields[.cacheControl] == "public, no-cache" && fields[.vary] == "Authorization")
        let own = await place.eta.ask("GET", file, as: place.ada)
        #expect(own.response.fields[.cacheControl] == "private, no-cache")
        let part = await place.eta.ask("GET", file, fields: ["Range": "bytes=10-19"])
        #expect(part.status == 206 && part.file == Array(Self.bytes[10..<20]))
        #expect(part.response.fields[.contentRange] == "bytes 10-19/1000000")
        let tail = await place.eta.ask("GET", file, fields: ["Range": "bytes=-5"])
        #expect(tail.file == Array(Self.bytes.suffix(5)))
        let both = await place.eta.ask("GET", file, fields: ["Range": "bytes=0-0,999999-"])
        #expect(both.status == 206)
        #expect(
            both.response.fields[.contentType]?.hasPrefix("multipart/byteranges; boundary=") == true
        )
        let beyond = await place.eta.ask("GET", file, fields: ["Range": "bytes=1000000-"])
        #expect(
            beyond.code == 69 && beyond.response.fields[.contentRange] == "bytes */1000000")
        let stale = await place.eta.ask(
            "GET", file, fields: ["Range": "bytes=0-0", "If-Range": "\"other\""])
        #expect(stale.status == 200 && stale.file.count == 1_000_000)
        let known = await place.eta.ask(
            "GET", file, fields: ["If-None-Match": "\"\(Self.hash)\""])
        #expect(known.status == 304)
        let named = await place.eta.ask("GET", file + "?hash=\(Self.hash)")
        #expect(named.response.fields[.cacheControl]?.contains("immutable") == true)
        let other = String(repeating: "0", count: 64)
        #expect(await place.eta.ask("GET", file + "?hash=\(other)").code == 46)
        let handed = await place.eta.ask("GET", file, fields: ["AVR-Accept-File": "1"])
        let path = try #require(
            handed.response.fields[.avrFile].flatMap { Percent.decode($0.utf8) })
        #expect(path.hasPrefix("/") && handed.response.body.length == 0)
        #expect(ReadOnlyFile(path: path)?.size == 1_000_000)
    }

    @Test func `If-Match holds an upload back where the file is not what it was`() async throws {
        let place = try await Place()
        let asset = try await place.asset()
        let one = SHA256.hash([1]).hex
        for (match, body, code) in [
            ("*", [1], 53), ("\"\(one)\"", [1], 53), ("", [1], nil), ("\"\(Self.hash)\"", [2], 53),
            ("\"\(one)\"", [2], nil), ("*", [3], nil),
        ] as [(String, [UInt8], Int?)] {
            let answer = await place.upload(
                asset, TestBody([body]), fields: match.isEmpty ? [:] : ["If-Match": match])
            #expect(answer.code == code, "\(match) \(body)")
        }
        #expect(await place.eta.ask("GET", asset + "/file").file == [3])
    }

    @Test func `a form brings no more beside its file than it may`() async throws {
        let place = try await Place(["assets.largest_file": "1KiB"])
        let asset = try await place.asset()
        let file = "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n"
        let other = "--b\r\nContent-Disposition: form-data; name=\"y\"\r\n\r\n"
        for (filler, code) in [(1_000_000, nil), (1_100_000, 52)] as [(Int, Int?)] {
            let filling = [UInt8](repeating: 1, count: filler)
            let sent = await place.upload(
                asset,
                TestBody([
                    Array(file.utf8), Array(other.utf8), filling, Array("\r\n--b--\r\n".utf8),
                ]), fields: ["Content-Type": "multipart/form-data; boundary=b"], chunked: true)
            #expect(sent.code == code, "\(sent.text)")
        }
        #expect(place.eta.temporary.isEmpty)
    }

    @Test func `a form's file is the file`() async throws {
        let place = try await Place()
        let asset = try await place.asset()
        let head = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n"
        let form = Array(head.utf8) + Self.bytes + Array("\r\n--b--\r\n".utf8)
        let type = ["Content-Type": "multipart/form-data; boundary=b"]
        let digest = ContentDigest.field(sha256: SHA256.hash(form).bytes)
        let sent = await place.upload(
            asset, TestBody(Self.pieces(form, of: 9_973)), query: "?hash=\(Self.hash)",
            fields: type.merging(["Content-Digest": digest]) { a, _ in a }, chunked: true)
        #expect(sent["hash"] == .string(Self.hash), "\(sent.text)")
        let without = await place.upload(
            asset, TestBody([Array("--b\r\n\r\nx\r\n--b--\r\n".utf8)]), fields: type)
        #expect(without.code == 26 && without.badFields == ["file"])
        let torn = await place.upload(asset, TestBody([Array(head.utf8), [1]]), fields: type)
        #expect(torn.status == 400)
        let none = await place.upload(
            asset, TestBody([[1]]), fields: ["Content-Type": "multipart/form-data"])
        #expect(none.code == 51)
        #expect(place.eta.files.count == 1 && place.eta.temporary.isEmpty)
    }

    @Test func `what is not what was told is refused and leaves nothing`() async throws {
        let place = try await Place(["assets.largest_file": "1KiB"])
        let asset = try await place.asset()
        let small = Array(Self.bytes[..<1_000])
        let wrong = String(repeating: "0", count: 64)
        let digest = ContentDigest.field(sha256: SHA256.hash([1]).bytes)
        #expect(await place.upload(asset, TestBody([small]), query: "?hash=\(wrong)").code == 32)
        let lied = await place.upload(
            asset, TestBody([small]), fields: ["Content-Digest": digest])
        #expect(lied.code == 32 && lied.badFields == ["Content-Digest"])
        let odd = await place.upload(
            asset, TestBody([small]), fields: ["Content-Digest": "sha-256=?"])
        #expect(odd.code == 26)
        #expect(await place.upload(asset, TestBody([])).code == 32)
        let large = [small, small]
        #expect(await place.upload(asset, TestBody(large)).code == 52)
        #expect(await place.upload(asset, TestBody(large), chunked: true).code == 52)
        let range = ["Content-Range": "bytes 0-999/5000"]
        let hash = SHA256.hash(small).hex
        #expect(
            await place.upload(asset, TestBody([small]), query: "?hash=\(hash)", fields: range).code
                == 52)
        #expect(
            await place.upload(
                asset, TestBody([small]), fields: ["Content-Range": "bytes 0-999/1000"]
            ).badFields == ["hash"])
        #expect(
            await place.upload(
                asset, TestBody([small]), query: "?hash=\(hash)",
                fields: ["Content-Range": "bytes 0-99/1000"]
            ).code == 26)
        #expect(
            await place.upload(
                asset, TestBody([small]), query: "?hash=\(hash)",
                fields: ["Content-Range": "bytes 0-99/1000"], chunked: true
            ).code == 26)
        #expect(place.eta.files.isEmpty && place.eta.parts.isEmpty)
        #expect(place.eta.temporary.isEmpty)
        #expect(await place.eta.ask("GET", asset + "/file").code == 46)
    }

    @Test func `an upload that was cut off goes on where it was, by its hash`() async throws {
        let place = try await Place()
        let asset = try await place.asset()
        let query = "?hash=\(Self.hash)"
        let ask = ["Content-Range": "bytes */1000000"]
        #expect(await place.upload(asset, TestBody([]), query: query, fields: ask)["received"] == 0)
        let cut = await place.upload(
            asset,
            TestBody(
                Self.pieces(Self.bytes[..<400_000], of: 65_536), promised: 1_000_000, end: .closed),
            query: query)
        #expect(cut.status == 400, "\(cut.text)")
        #expect(place.eta.parts.count == 1)
        let there = await place.upload(asset, TestBody([]), query: query, fields: ask)
        #expect(there.data == ["received": 400_000])
        let gap = await place.upload(
            asset, TestBody([Array(Self.bytes[500_000...])]), query: query,
            fields: ["Content-Range": "bytes 500000-999999/1000000"])
        #expect(gap.code == 31 && gap.badFields == ["Content-Range"])
        let more = await place.upload(
            asset, TestBody([Array(Self.bytes[300_000..<700_000])]), query: query,
            fields: ["Content-Range": "bytes 300000-699999/1000000"])
        #expect(more.data == ["received": 700_000], "\(more.text)")
        let rest = await place.upload(
            asset, TestBody([Array(Self.bytes[700_000...])]), query: query,
            fields: [
                "Content-Range": "bytes 700000-999999/1000000",
                "Content-Digest": ContentDigest.field(
                    sha256: SHA256.hash(Array(Self.bytes[700_000...])).bytes),
            ])
        #expect(rest["hash"] == .string(Self.hash), "\(rest.text)")
        #expect(place.eta.parts.isEmpty && place.eta.files.count == 1)
        let done = await place.upload(asset, TestBody([]), query: query, fields: ask)
        #expect(done["received"] == 1_000_000)

        let lost = try await place.asset("2")
        let gone = await place.upload(
            lost, TestBody([[1, 2, 3]], promised: 9, end: .closed))
        #expect(gone.status == 400 && place.eta.temporary.isEmpty && place.eta.parts.isEmpty)
    }

    @Test func `parts are kept for a day`() async throws {
        let place = try await Place()
        let asset = try await place.asset()
        _ = await place.upload(
            asset, TestBody([[1, 2, 3]], promised: 9, end: .closed), query: "?hash=\(Self.hash)")
        #expect(place.eta.parts.count == 1)
        let keeper = FileKeeper(place.eta.registry)
        try await keeper.sweep()
        #expect(place.eta.parts.count == 1)
        // The parts' times are the disk's; the test's clock began in 2023.
        place.eta.clock.advance(by: .seconds(86_400 * 365 * 50))
        try await keeper.sweep()
        #expect(place.eta.parts.isEmpty)
    }

    @Test func `one upload of an asset runs at a time`() async throws {
        let place = try await Place()
        let asset = try await place.asset()
        let slow = SlowBody(Self.pieces(Self.bytes, of: 100_000))
        async let first = place.eta.send(
            "POST", asset + "/file", as: place.ada, chunked: true, TestBody([], relay: slow))
        await slow.begun()
        let second = await place.upload(asset, TestBody([[1]]))
        #expect(second.code == 31, "\(second.text)")
        let other = try await place.asset("2")
        #expect(await place.upload(other, TestBody([[1]])).status == 200)
        slow.goOn()
        #expect(await first["hash"] == .string(Self.hash))
        #expect(await place.upload(asset, TestBody([[1]])).status == 200)
    }

    @Test func `identical bytes are kept once, and go with the last who needs them`() async throws {
        let place = try await Place()
        let one = try await place.asset("1")
        let two = try await place.asset("2")
        #expect(await place.upload(one, TestBody([[7, 8]])).status == 200)
        #expect(await place.upload(two, TestBody([[7], [8]])).status == 200)
        #expect(place.eta.files.count == 1)
        #expect(await place.upload(one, TestBody([[9]])).status == 200)
        #expect(place.eta.files.count == 2)
        #expect(await place.eta.ask("DELETE", two, as: place.ada).status == 200)
        #expect(place.eta.files.count == 1)
        #expect(await place.eta.ask("GET", one + "/file").file == [9])
        let path = "/api/worlds/\(place.world)"
        #expect(await place.eta.ask("DELETE", path, as: place.ada).status == 200)
        #expect(place.eta.files.isEmpty)
    }

    @Test func `what a crash left among the files is swept, what is needed stays`() async throws {
        let place = try await Place()
        let asset = try await place.asset()
        #expect(await place.upload(asset, TestBody([[7, 8]])).status == 200)
        do {
            let stray = try await place.eta.registry.files.upload()
            try await stray.append([1, 2, 3])
            _ = try await stray.finish()
        }
        #expect(place.eta.files.count == 2)
        try await FileKeeper(place.eta.registry).sweep()
        #expect(place.eta.files.count == 1)
        #expect(await place.eta.ask("GET", asset + "/file").file == [7, 8])
    }
}

/// A body that waits before its second piece until it is told to go on.
final class SlowBody: Sendable {
    private struct State {
        var chunks: [[UInt8]]
        var given = 0
        var isOpen = false
        var begun: [CheckedContinuation<Void, Never>] = []
        var held: CheckedContinuation<Void, Never>?
    }
    private let state: Lock<State>

    init(_ chunks: [[UInt8]]) { state = Lock(State(chunks: chunks)) }

    /// Comes back once the second piece is asked for.
    func begun() async {
        await withCheckedContinuation { continuation in
            let isBegun = state.withLock { state in
                if state.given > 1 { return true }
                state.begun.append(continuation)
                return false
            }
            if isBegun { continuation.resume() }
        }
    }

    func goOn() {
        state.withLock { state in
            state.isOpen = true
            defer { state.held = nil }
            return state.held
        }?.resume()
    }

    func next() async -> [UInt8]? {
        let (isSecond, begun) = state.withLock { state in
            state.given += 1
            guard state.given == 2 else {
                return (false, [] as [CheckedContinuation<Void, Never>])
            }
            defer { state.begun = [] }
            return (true, state.begun)
        }
        for continuation in begun { continuation.resume() }
        if isSecond {
            await withCheckedContinuation { continuation in
                let isOpen = state.withLock { state in
                    if !state.isOpen { state.held = continuation }
                    return state.isOpen
                }
                if isOpen { continuation.resume() }
            }
        }
        return state.withLock { $0.chunks.isEmpty ? nil : $0.chunks.removeFirst() }
    }
}
