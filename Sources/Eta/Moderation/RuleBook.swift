import API
import Base
import Domain
import Storage

/// The rules as they hold now, for who decides by them, and how every Reil is told of another set.
final class RuleBook: Sendable {
    private let mode: FederationMode
    private let pushes: Pushes
    private let tokens: PeerTokens
    private let state: Lock<NodeRules>

    /// The rules that `database` holds.
    init(
        _ database: Database, mode: FederationMode, pushes: Pushes, tokens: PeerTokens
    ) throws(APIError) {
        self.mode = mode
        self.pushes = pushes
        self.tokens = tokens
        let set = try database.read { (reader) throws(APIError) in
            try Self.read(mode, reader)
        }
        state = Lock(set.nodeRules)
    }

    /// What holds for another node.
    func action(on address: ServerAddress) -> NodeAction {
        state.withLock { $0.action(on: address) }
    }

    /// All rules, as a Reil has to know them.
    static func read(
        _ mode: FederationMode, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> RuleSet {
        var set = RuleSet(mode: mode)
        for row in try RuleStore.all(reader) {
            switch row.list {
            case .server:
                guard let pattern = NodePattern(row.subject) else { continue }
                set.nodes.append(RuleSet.Node(rule: pattern, action: row.action))
            case .cidr: if let cidr = NetworkText(row.subject) { set.networks.append(cidr) }
            case .agent: if let agent = AgentPart(row.subject) { set.agents.append(agent) }
            }
        }
        return set
    }

    /// The rules have changed in this act: what rests on what held before ends with it, and every
    /// Reil is told on its commit.
    func changed(_ transaction: borrowing Transaction<APIError>) throws(APIError) {
        let set = try Self.read(mode, transaction.reader)
        let (before, after) = (state.withLock { $0 }, set.nodeRules)
        var ended: [ServerAddress] = []
        var others: [ServerAddress] = []
        for address in try RuleStore.knownNodes(transaction.reader) {
            let action = after.action(on: address)
            if action == before.action(on: address) { continue }
            if action == .deny {
                try ChallengeStore.revoke(of: address, transaction)
                try IntegrityStore.deleteAll(of: address, transaction)
                ended.append(address)
            } else {
                others.append(address)
            }
        }
        transaction.onCommit { [self, ended, others] in
            state.withLock { $0 = after }
            pushes.tell(set)
            for address in ended {
                tokens.forget(address)
                pushes.revoke(.node(address))
            }
            // What is remembered of their visitors' rights is asked for anew.
            for address in others { pushes.revoke(.server(address)) }
        }
    }

    /// Comes back once what was told last has taken effect.
    func settled() async { await pushes.settled() }
}
