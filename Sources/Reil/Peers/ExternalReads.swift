import API
import Base
import Domain
import Federation
import HTTP

/// Reads from other nodes on behalf of this node's users, docs/federation §6: one request under
/// way per identical read, answers kept as long as the other node says, and nothing believed of
/// anybody but itself.
final class ExternalReads: Sendable {
    private struct Key: Hashable {
        let server: ServerAddress
        let target: String
    }

    private struct Kept {
        let json: [UInt8]
        /// Our own tag, for our clients, and theirs, to ask them again.
        let tag: String
        let theirTag: String?
        /// For how long they said that it counts.
        let age: Duration
        let freshUntil: Instant
        let keptAt: Instant
    }

    /// How long an answer counts that says nothing about it, and how long any does.
    private static let standardAge = Duration.seconds(60)
    private static let longestAge = Duration.seconds(3_600)
    private static let entryLimit = 4_096
    private static let byteLimit = 32 << 20

    private let peers: PeerClient
    private let ambient: Ambient
    private let flights = SingleFlight<Key, Kept>()
    private let kept = Lock<(entries: [Key: Kept], bytes: Int)>(([:], 0))

    init(peers: PeerClient, ambient: Ambient) {
        self.peers = peers
        self.ambient = ambient
    }

    /// The gateway of another node, where its files are fetched.
    func gateway(of server: ServerAddress) async throws(APIError) -> Gateway {
        try await peers.peer(server).gateway
    }

    /// An object of another node: its JSON, and a tag for it.
    func read<Output: Foreign>(
        _ type: Output.Type, _ target: String, captures: [String], of server: ServerAddress
    ) async throws(APIError) -> (json: [UInt8], tag: String) {
        try peers.require(server)
        let key = Key(server: server, target: target)
        let now = ambient.clock.now()
        if let known = kept.withLock({ $0.entries[key] }), known.freshUntil > now {
            return (known.json, known.tag)
        }
        let fresh = try await flights.run(key) { () throws(APIError) -> Kept in
            let known = self.kept.withLock { $0.entries[key] }
            let reply = try await self.peers.read(target, tag: known?.theirTag, at: server)
            // RFC 9111 §4.3.4: what a 304 does not say is as it was.
            let said = reply.fields[.cacheControl]
            let control = CacheControl(said)
            let json: [UInt8]
            if let data = reply.data {
                var output = try PeerClient.decode(type, from: data)
                try output.admit(from: reply.peer, asked: captures)
                json = JSONCoder.encode(output)
            } else if let known {
                json = known.json
            } else {
                throw APIError(.noDataFromServer)
            }
            let now = self.ambient.clock.now()
            let age =
                if reply.data == nil, said == nil, let known {
                    known.age
                } else {
                    min(
                        control.noCache ? .zero : control.maxAge ?? Self.standardAge,
                        Self.longestAge)
                }
            let made = Kept(
                json: json, tag: EntityTag.of(json),
                theirTag: reply.fields[.eTag] ?? (reply.data == nil ? known?.theirTag : nil),
                age: age, freshUntil: now + age, keptAt: now)
            self.keep(control.noStore ? nil : made, key)
            return made
        }
        return (fresh.json, fresh.tag)
    }

    private func keep(_ entry: Kept?, _ key: Key) {
        kept.withLock { kept in
            if let old = kept.entries.removeValue(forKey: key) { kept.bytes -= old.json.count }
            guard let entry, entry.json.count <= Self.byteLimit / 16 else { return }
            while kept.entries.count >= Self.entryLimit
                || kept.bytes + entry.json.count > Self.byteLimit
            {
                // The older half goes at once, so that a full cache is not searched each time.
                let old = kept.entries.sorted { $0.value.keptAt < $1.value.keptAt }
                for (key, value) in old.prefix(old.count / 2 + 1) {
                    kept.entries[key] = nil
                    kept.bytes -= value.json.count
                }
            }
            kept.entries[key] = entry
            kept.bytes += entry.json.count
        }
    }

    /// Puts the reading abroad around an endpoint that knows of other nodes; what knows of none
    /// stays as it is.
    func wrap(_ bound: any BoundEndpoint, home: @escaping @Sendable () -> ServerAddress?)
        -> any BoundEndpoint
    {
        let facts = bound.facts
        guard facts.parameters.contains(where: { $0.name == "server" }) else { return bound }
        guard facts.readsAbroad else {
            return AbroadEndpoint<User>(inner: bound, home: home, reads: nil)
        }
        switch facts.template {
        case ServerAPI.ServerPath.template, ServerAPI.ServerAtPath.template:
            return AbroadEndpoint<Server>(inner: bound, home: home, reads: self)
        case UserAPI.ListPath.template:
            return AbroadEndpoint<Page<User>>(inner: bound, home: home, reads: self)
        case UserAPI.UserPath.template:
            return AbroadEndpoint<User>(inner: bound, home: home, reads: self)
        case ServiceAPI.ListPath.template:
            return AbroadEndpoint<Page<Service>>(inner: bound, home: home, reads: self)
        case ServiceAPI.ServicePath.template:
            return AbroadEndpoint<Service>(inner: bound, home: home, reads: self)
        case WorldAPI.ListPath.template:
            return AbroadEndpoint<Page<World>>(inner: bound, home: home, reads: self)
        case WorldAPI.WorldPath.template:
            return AbroadEndpoint<World>(inner: bound, home: home, reads: self)
        case WorldAPI.AssetsPath.template:
            return AbroadEndpoint<Page<Asset>>(inner: bound, home: home, reads: self)
        case WorldAPI.AssetPath.template:
            return AbroadEndpoint<Asset>(inner: bound, home: home, reads: self)
        case _:
            precondition(facts.output == nil, "\(facts.template) reads abroad, but of what type?")
            return AbroadEndpoint<User>(inner: bound, home: home, reads: self)
        }
    }
}

/// An endpoint whose `id@server` and `?server=` may name another node: what is this node's own goes
/// on to the endpoint itself, the rest is read from there.
struct AbroadEndpoint<Output: Foreign>: BoundEndpoint {
    let inner: any BoundEndpoint
    let home: @Sendable () -> ServerAddress?
    /// Nil where objects of other nodes can only be refused.
    let reads: ExternalReads?

    var facts: EndpointFacts { inner.facts }

    func answerAtOnce(_ exchange: Exchange) throws(APIError) -> Response? {
        Self.namesNode(exchange) ? nil : try inner.answerAtOnce(exchange)
    }

    func following(_ exchange: Exchange) -> AnswerStart<Result<Response, APIError>>? {
        Self.namesNode(exchange) ? nil : inner.following(exchange)
    }

    /// Whether a node could be named: what names none is this node's own, and nearly all is.
    private static func namesNode(_ exchange: Exchange) -> Bool {
        for pair in exchange.query where pair.name == "server" { return true }
        for capture in exchange.captures {
            let text = capture.utf8.span
            for index in text.indices where text[index] == UInt8(ascii: "@") { return true }
        }
        return exchange.passage.endpoint.template == ServerAPI.ServerAtPath.template
    }

    func answer(_ exchange: Exchange) async throws(APIError) -> Response {
        if !Self.namesNode(exchange) { return try await inner.answer(exchange) }
        guard let home = home() else { throw .overloaded(context: "no word of eta yet") }
        let place = try Place(exchange, facts, home: home)
        guard let server = try ServerAddress.agreed(place.inID, place.inQuery, home: home) else {
            return try await inner.answer(exchange)
        }
        guard let reads else { throw APIError(.objectNotInternal) }
        switch exchange.passage.caller {
        case .nobody: throw APIError(.userNotLogged)
        case .user:
            guard exchange.passage.caller.may(.fetchExternal) else {
                throw APIError(.userCannotFetch)
            }
        // No chains: another node asks where the object is, and so does a visitor's home.
        case .visitor, .server, .ins, .gateway: throw APIError(.userCannotFetch)
        }
        let target = place.target(exchange, facts)
        if facts.output == nil {
            let gateway = try await reads.gateway(of: server)
            return Response(
                status: .found,
                fields: Fields(
                    (.location, gateway.url(target).text), (.cacheControl, "private")),
                accessTarget: exchange.passage.shownTarget)
        }
        let (json, tag) = try await reads.read(
            Output.self, target, captures: place.captures, of: server)
        return Answers.success(exchange, facts, tag: tag) { out in out.append(json) }
    }
}

/// Which node a request's path and query name, and the same request as that node would be asked.
private struct Place {
    let inID: ServerAddress?
    let inQuery: ServerAddress?
    /// The captures without a node in them.
    let captures: [String]

    init(
        _ exchange: Exchange, _ facts: EndpointFacts, home: ServerAddress
    ) throws(APIError) {
        if let text = exchange.query.first(where: { $0.name == "server" })?.value {
            guard let server = ServerAddress(text) else {
                throw APIError(.serverInvalidInput, field: "server", ServerAddress.expectation)
            }
            inQuery = server
        } else {
            inQuery = nil
        }
        var captures = exchange.captures
        if facts.template == ServerAPI.ServerAtPath.template {
            inID = ServerAddress(captures[0])
        } else if let text = captures.first, text.utf8.first != UInt8(ascii: "@"),
            let at = text.utf8.firstIndex(of: UInt8(ascii: "@")),
            let server = ServerAddress(String(text[text.index(after: at)...]))
        {
            inID = server
            captures[0] = String(text[..<at])
        } else {
            inID = nil
            if let text = captures.first, text.first == "@", let inQuery, inQuery != home {
                throw APIError(.serverInvalidInput, field: "server", "does not go with \(text)")
            }
        }
        self.captures = captures
    }

    func target(_ exchange: Exchange, _ facts: EndpointFacts) -> String {
        let path =
            facts.template == ServerAPI.ServerAtPath.template
            ? ServerAPI.ServerPath.template : facts.target(captures)
        let query = exchange.query.filter { $0.name != "server" }.map { pair in
            Percent.encode(pair.name) + "=" + Percent.encode(pair.value)
        }
        return query.isEmpty ? path : path + "?" + query.joined(separator: "&")
    }
}
