import API
import Base
import Crypto
import Domain

/// Which credentials count now, as Eta told: asked once, forgotten when Eta revokes.
public final class TokenCache: Sendable {
    /// What a credential says.
    public typealias Entry = RegistryAPI.ResolvedCredential

    /// What a revocation names.
    private enum Owner: Hashable {
        case user(UserID)
        case integrity(IntegrityID)
        case server(ServerAddress)
        case ins(String)
    }

    private struct State {
        var entries: [SHA256Digest: Entry] = [:]
        var owned: [Owner: Set<SHA256Digest>] = [:]
        /// Credentials that nobody knows, and until when not to ask again.
        var unknown: [SHA256Digest: Instant] = [:]
        /// Rises with each revocation: an answer that was asked for before one that concerns it is
        /// not kept.
        var revocations: UInt64 = 0
        /// The newest revocations, each at its number.
        var recent: [Revocation] = []
        /// What was asked before that number is void.
        var cleared: UInt64 = 0

        mutating func note(_ revocation: Revocation) {
            if recent.count < TokenCache.recentLimit {
                recent.append(revocation)
            } else {
                recent[place(of: revocations)] = revocation
            }
            revocations += 1
        }

        /// Whether something since `asked` revokes `entry`, as far as that can be told.
        func hasRevoked(_ entry: Entry, since asked: UInt64) -> Bool {
            guard asked >= cleared, revocations - asked <= UInt64(TokenCache.recentLimit) else {
                return true
            }
            return (asked..<revocations).contains { number in
                TokenCache.concerns(recent[place(of: number)], entry)
            }
        }

        private func place(of number: UInt64) -> Int {
            Int((number - cleared) % UInt64(TokenCache.recentLimit))
        }
    }

    /// Credentials kept; beyond it all are forgotten and asked for again.
    private static let limit = 200_000
    private static let unknownLimit = 20_000
    /// Revocations remembered for answers that are under way: as many as a flood of logouts brings
    /// in the time of one question.
    private static let recentLimit = 4_096
    private static let unknownTime = Duration.seconds(1)

    private let state = Lock(State())

    /// Nothing is known yet.
    public init() {}

    /// What is known of a credential.
    public enum Finding: Sendable {
        case known(Entry)
        /// Eta said a moment ago that it is nobody's.
        case refused
        /// Ask; the number goes with the answer.
        case ask(revocations: UInt64)
    }

    /// Looks a credential up.
    public func find(_ digest: SHA256Digest, at time: Timestamp, now: Instant) -> Finding {
        state.withLock { state in
            if let entry = state.entries[digest] {
                if entry.expiresAt > time { return .known(entry) }
                Self.forget(digest, &state)
                return .refused
            }
            if let until = state.unknown[digest], until > now { return .refused }
            return .ask(revocations: state.revocations)
        }
    }

    /// Keeps what Eta said, unless it was revoked since it was asked: false, ask again.
    public func keep(_ entry: Entry, of digest: SHA256Digest, asked revocations: UInt64) -> Bool {
        state.withLock { state in
            if state.hasRevoked(entry, since: revocations) { return false }
            if state.entries.count >= Self.limit {
                state.entries = [:]
                state.owned = [:]
            }
            state.entries[digest] = entry
            for owner in Self.owners(of: entry) { state.owned[owner, default: []].insert(digest) }
            return true
        }
    }

    /// Remembers for a moment that a credential is nobody's.
    public func keepUnknown(_ digest: SHA256Digest, now: Instant) {
        state.withLock { state in
            if state.unknown.count >= Self.unknownLimit { state.unknown = [:] }
            state.unknown[digest] = now + Self.unknownTime
        }
    }

    /// Forgets what `revocation` names.
    public func revoke(_ revocation: Revocation) {
        state.withLock { state in
            state.note(revocation)
            let owner: Owner =
                switch revocation {
                case .session(_, let user), .generation(_, let user, _), .sessions(let user, _),
                    .rights(let user), .user(let user):
                    .user(user)
                case .integrity(let id): .integrity(id)
                // Found among all of their home.
                case .visitor(let user): .server(user.server ?? .sample)
                case .server(let address), .node(let address): .server(address)
                case .ins(let id): .ins(id)
                }
            for digest in state.owned[owner] ?? [] {
                if let entry = state.entries[digest], Self.concerns(revocation, entry) {
                    Self.forget(digest, &state)
                }
            }
        }
    }

    /// Whether `revocation` ends what `entry` says.
    private static func concerns(_ revocation: Revocation, _ entry: Entry) -> Bool {
        let caller = entry.caller
        return switch revocation {
        case .session(let session, _): caller.user?.session == session
        case .sessions(let user, let kept):
            caller.isUser(user) && caller.user?.session != kept
        case .generation(let session, _, let generation):
            caller.user?.session == session && (entry.generation ?? 0) <= generation
        case .rights(let user), .user(let user): caller.isUser(user)
        case .integrity(let id): caller.visitor?.integrity == id
        case .visitor(let user): caller.visitor?.user == user
        case .server(let address), .node(let address):
            caller.server == address || caller.visitor?.home == address
        case .ins(let id): entry.ins == id
        }
    }

    /// Forgets everything: Eta was out of reach, and nobody knows what it revoked meanwhile.
    public func clear() {
        state.withLock { state in
            // Numbers that were given out before are all below it.
            state.revocations += 1
            state.cleared = state.revocations
            state.recent = []
            state.entries = [:]
            state.owned = [:]
            state.unknown = [:]
        }
    }

    private static func owners(of entry: Entry) -> [Owner] {
        switch entry.caller {
        case .user(let user): [.user(user.id)]
        case .visitor(let visitor): [.integrity(visitor.integrity), .server(visitor.home)]
        case .server(let address): [.server(address)]
        case .ins: entry.ins.map { [.ins($0)] } ?? []
        case .nobody, .gateway: []
        }
    }

    private static func forget(_ digest: SHA256Digest, _ state: inout State) {
        guard let entry = state.entries.removeValue(forKey: digest) else { return }
        for owner in owners(of: entry) {
            state.owned[owner]?.remove(digest)
            if state.owned[owner]?.isEmpty == true { state.owned[owner] = nil }
        }
    }
}

extension VisitorCaller {
    /// The node that vouches for the visitor.
    var home: ServerAddress {
        guard let server = user.server else { preconditionFailure("a visitor without a home") }
        return server
    }
}

extension TokenCache: RegistryObserver {
    func welcomed(_ welcome: Welcome) { clear() }

    func received(_ push: RegistryPush) {
        if case .revoke(let revocation) = push { revoke(revocation) }
    }

    func etaLost() {}
}
