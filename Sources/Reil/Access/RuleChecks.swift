import API
import Base
import Domain
import HTTP

/// With whom there are dealings, as Eta tells it.
final class RuleDesk: RegistryObserver {
    private struct State {
        var nodes = NodeRules([])
        var clients = ClientRules()
    }

    private let state = Lock(State())

    func welcomed(_ welcome: Welcome) { keep(welcome.rules) }

    func received(_ push: RegistryPush) { if case .rules(let set) = push { keep(set) } }

    func etaLost() {}

    private func keep(_ set: RuleSet) {
        let fresh = State(nodes: set.nodeRules, clients: set.clientRules)
        state.withLock { $0 = fresh }
    }

    /// The rules about clients.
    var clients: ClientRules { state.withLock { $0.clients } }

    /// Refuses a node with which there are no dealings; `seen` is the address that it was seen at,
    /// where it was.
    ///
    /// - Throws: 57.
    func require(_ node: ServerAddress, seenAt seen: IPAddress? = nil) throws(APIError) {
        let nodes = state.withLock { $0.nodes }
        guard nodes.action(on: node, seenAt: seen) != .deny else {
            throw APIError(.serverDenied, context: node.text)
        }
    }
}

/// The first check: where a client is, and whether it may come in at all.
struct ClientCheck: GateCheck {
    /// What is printed at start.
    let name = "client"
    let desk: RuleDesk
    let proxies: [NetworkRange]

    /// Finds the client's own address, and refuses it by the rules about clients.
    ///
    /// - Throws: 58.
    func check(_ passage: inout Passage) throws(APIError) -> Bool {
        if !proxies.isEmpty {
            passage.client = ForwardedClient.address(of: passage.request, trusting: proxies)
        }
        let rules = desk.clients
        let agent = rules.readsAgents ? passage.request.head.field(.userAgent) : nil
        if rules.denies(passage.client) || agent.map(rules.denies(agent:)) ?? false {
            throw APIError(.userSuspended, context: "the client is denied")
        }
        return true
    }
}

/// Behind the credential: whether there are dealings with the node that calls, or that a visitor is
/// from.
struct NodeCheck: GateCheck {
    /// What is printed at start.
    let name = "node"
    let desk: RuleDesk

    /// Refuses by the rules about nodes.
    ///
    /// - Throws: 57.
    func check(_ passage: inout Passage) throws(APIError) -> Bool {
        switch passage.caller {
        case .server(let node): try desk.require(node, seenAt: passage.client)
        case .visitor(let visitor): try desk.require(visitor.home)
        case .nobody, .user, .ins, .gateway: break
        }
        return true
    }
}
