import Base
import Crypto
import Domain

/// Another node as it is known at the moment: its document believed, its gateway chosen.
public struct Peer: Sendable {
    /// Whose it is.
    public let address: ServerAddress
    /// Whether it was ever seen over https, so that nothing else will do.
    public let secure: Bool
    /// The gateway in use.
    public internal(set) var gateway: Gateway
    /// All gateways that its document names.
    public let gateways: [Gateway]
    /// The keys that it publishes and that are believed.
    let keys: [DiscoveryDocument.Key]

    /// A node as its document describes it.
    init(document: DiscoveryDocument, secure: Bool, preferred: Gateway?) {
        address = document.address
        self.secure = secure
        gateways = document.gateways
        keys = document.keys
        gateway = document.gateway
        if let preferred, admits(preferred) { gateway = preferred }
    }

    /// Whether requests for the node may go there: the document names it, and nobody is led from
    /// https to http.
    public func admits(_ gateway: Gateway) -> Bool {
        gateways.contains(gateway) && (gateway.secure || !secure)
    }

    /// The key with that id, while it counts.
    public func key(_ id: String, now: Timestamp) -> Ed25519PublicKey? {
        keys.first { $0.key.id == id && $0.expiresAt > now }?.key
    }
}

/// What is known of other nodes: documents and how long they stay fresh, failures and how long a
/// node is left alone after them, docs/federation §2 and §8. Pure.
public struct PeerTable: Sendable {
    /// What there is to do about a node.
    enum Finding {
        /// Its document is fresh.
        case fresh(Peer)
        /// It failed a moment ago, and is not asked again yet.
        case failed(APIError)
        /// Ask for its document; what was known before may be stale.
        case ask
    }

    private struct Entry {
        var peer: Peer?
        var readAt: Instant
        var freshUntil: Instant
        var error: APIError?
        var retryAt: Instant
        var delay = PeerTable.firstDelay
        var refreshedAt: Instant?
        var silences = 0
        var restUntil: Instant?
        var restDelay = PeerTable.firstDelay
    }

    /// Nodes kept in memory; all of them are in the database.
    static let limit = 10_000
    static let freshnessRange: ClosedRange<Duration> = .seconds(60)...(.seconds(86_400))
    static let firstDelay = Duration.seconds(30)
    static let longestDelay = Duration.seconds(600)
    /// How often one unknown key after the other may have a document read again.
    static let refreshInterval = Duration.seconds(60)
    /// Failures in a row after which a node is left alone.
    static let silenceLimit = 5

    private var entries: [ServerAddress: Entry] = [:]

    /// Nothing is known.
    public init() {}

    /// How many nodes are known.
    var count: Int { entries.count }

    /// How long a document may be kept: as its Cache-Control says, within the contract's bounds.
    static func freshness(_ cacheControl: String?) -> Duration {
        let age = CacheControl(cacheControl).maxAge ?? freshnessRange.lowerBound
        return min(max(age, freshnessRange.lowerBound), freshnessRange.upperBound)
    }

    /// What there is to do about a node before it can be called.
    func find(_ address: ServerAddress, now: Instant) -> Finding {
        guard let entry = entries[address] else { return .ask }
        if let error = entry.error, entry.retryAt > now { return .failed(error) }
        if let rest = entry.restUntil, rest > now {
            return .failed(APIError(.noResponseFromServer, context: "left alone after failures"))
        }
        if let peer = entry.peer, entry.error == nil, entry.freshUntil > now {
            return .fresh(peer)
        }
        return .ask
    }

    /// The node by a document that was read less than a day ago, fresh or not.
    func remembered(_ address: ServerAddress, now: Instant) -> Peer? {
        guard let entry = entries[address],
            now - entry.readAt < Self.freshnessRange.upperBound
        else { return nil }
        return entry.peer
    }

    /// The gateway in use.
    func gateway(of address: ServerAddress) -> Gateway? { entries[address]?.peer?.gateway }

    /// A document was read and believed.
    mutating func found(_ peer: Peer, freshFor freshness: Duration, now: Instant) {
        var entry = entry(peer.address, now)
        entry.peer = peer
        entry.readAt = now
        entry.freshUntil = now + freshness
        entry.error = nil
        entry.delay = Self.firstDelay
        entries[peer.address] = entry
    }

    /// There was no document, or none to be believed.
    mutating func failed(_ address: ServerAddress, _ error: APIError, now: Instant) {
        var entry = entry(address, now)
        entry.error = error
        entry.retryAt = now + entry.delay
        entry.delay = min(entry.delay * 2, Self.longestDelay)
        entries[address] = entry
    }

    /// Whether a document that is fresh may be read again all the same; counts as done if so.
    mutating func mayRefresh(_ address: ServerAddress, now: Instant) -> Bool {
        guard var entry = entries[address] else { return true }
        if entry.error != nil, entry.retryAt > now { return false }
        if let last = entry.refreshedAt, now - last < Self.refreshInterval { return false }
        entry.refreshedAt = now
        entry.freshUntil = now
        entries[address] = entry
        return true
    }

    /// The node answered a request, or showed by one of its own that it lives.
    mutating func answered(_ address: ServerAddress) {
        guard var entry = entries[address], entry.silences > 0 || entry.restUntil != nil else {
            return
        }
        entry.silences = 0
        entry.restUntil = nil
        entry.restDelay = Self.firstDelay
        entries[address] = entry
    }

    /// The node did not answer a request. What is known of it stays for its time: it may be back
    /// the next moment.
    mutating func silent(_ address: ServerAddress, now: Instant) {
        guard var entry = entries[address] else { return }
        entry.silences += 1
        if entry.silences >= Self.silenceLimit {
            entry.restUntil = now + entry.restDelay
            entry.restDelay = min(entry.restDelay * 2, Self.longestDelay)
        }
        entries[address] = entry
    }

    /// Requests for the node go there from now on.
    mutating func use(_ gateway: Gateway, of address: ServerAddress) {
        entries[address]?.peer?.gateway = gateway
    }

    /// Nothing is known of the node any more.
    mutating func forget(_ address: ServerAddress) { entries[address] = nil }

    /// The node's entry, with room made for it.
    private mutating func entry(_ address: ServerAddress, _ now: Instant) -> Entry {
        if let known = entries[address] { return known }
        if entries.count >= Self.limit {
            entries = entries.filter { $0.value.freshUntil > now || $0.value.retryAt > now }
        }
        if entries.count >= Self.limit { entries = [:] }
        return Entry(readAt: now, freshUntil: now, retryAt: now)
    }
}

/// What a Cache-Control field says, RFC 9111 §5.2.2, as far as peers' answers need it.
public struct CacheControl: Sendable, Equatable {
    /// How long the answer stays fresh.
    public private(set) var maxAge: Duration?
    /// It must not be kept.
    public private(set) var noStore = false
    /// It must be asked for again each time.
    public private(set) var noCache = false

    /// Reads a field; directives that it does not know are passed over.
    public init(_ field: String?) {
        for part in (field ?? "").split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1).map { word in
                word.filter { $0 != " " && $0 != "\t" && $0 != "\"" }
            }
            switch pair.first?.lowercased() {
            case "no-store": noStore = true
            case "no-cache": noCache = true
            case "max-age":
                if let seconds = pair.last.flatMap({ Int64($0) }), seconds >= 0 {
                    maxAge = .seconds(min(seconds, 86_400 * 365))
                }
            case _: break
            }
        }
    }
}
