import Base
import Domain
import HTTP

/// Which other nodes, and which clients, the node has dealings with.
public enum RulesAPI {
    /// `/api/moderation/servers`
    public struct ServersPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/moderation/servers"
        /// The only value.
        public init() {}
    }
    /// `/api/moderation/clients`
    public struct ClientsPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/moderation/clients"
        /// The only value.
        public init() {}
    }

    /// A rule about other nodes, as it is made.
    public struct NodeRuling: Codable, Sendable, Equatable {
        /// Which nodes.
        public let rule: NodePattern
        /// What is done with them.
        public let action: NodeAction
        /// Why.
        public let reason: Reason?
        /// When it ends by itself.
        public let until: Timestamp?

        /// A rule of these parts.
        public init(
            rule: NodePattern, action: NodeAction, reason: Reason? = nil, until: Timestamp? = nil
        ) {
            self.rule = rule
            self.action = action
            self.reason = reason
            self.until = until
        }
    }
    /// A rule about other nodes.
    public struct NodeRule: Codable, Sendable, Equatable {
        /// Which nodes.
        public let rule: NodePattern
        /// What is done with them.
        public let action: NodeAction
        /// Why.
        public let reason: Reason?
        /// Who said so; null for the operator, by `reil block`.
        public let by: UserReference?
        /// When it ends by itself; null: never.
        public let until: Timestamp?
        /// When it was said.
        public let createdAt: Timestamp

        private enum CodingKeys: String, CodingKey {
            case rule, action, reason, by, until
            case createdAt = "created_at"
        }

        /// A rule of these parts.
        public init(
            rule: NodePattern, action: NodeAction, reason: Reason?, by: UserReference?,
            until: Timestamp?, createdAt: Timestamp
        ) {
            self.rule = rule
            self.action = action
            self.reason = reason
            self.by = by
            self.until = until
            self.createdAt = createdAt
        }
    }
    /// Which rule about other nodes ends.
    public struct NodeLifting: Codable, Sendable {
        /// The rule as it was made.
        public let rule: NodePattern
        /// Why.
        public let reason: Reason?

        /// The end of that rule.
        public init(rule: NodePattern, reason: Reason? = nil) {
            self.rule = rule
            self.reason = reason
        }
    }
    /// Clients that are denied, as that is made: by address or by agent, one of the two.
    public struct ClientRuling: Codable, Sendable, Equatable {
        /// A block of addresses.
        public let cidr: NetworkText?
        /// A part of the User-Agent.
        public let agent: AgentPart?
        /// Why.
        public let reason: Reason?
        /// When it ends by itself.
        public let until: Timestamp?

        /// A rule of these parts.
        public init(
            cidr: NetworkText? = nil, agent: AgentPart? = nil, reason: Reason? = nil,
            until: Timestamp? = nil
        ) {
            self.cidr = cidr
            self.agent = agent
            self.reason = reason
            self.until = until
        }
    }
    /// Clients that are denied.
    public struct ClientRule: Codable, Sendable, Equatable {
        /// A block of addresses; null where an agent is meant.
        public let cidr: NetworkText?
        /// A part of the User-Agent; null where addresses are meant.
        public let agent: AgentPart?
        /// Why.
        public let reason: Reason?
        /// Who said so.
        public let by: UserReference
        /// When it ends by itself; null: never.
        public let until: Timestamp?
        /// When it was said.
        public let createdAt: Timestamp

        private enum CodingKeys: String, CodingKey {
            case cidr, agent, reason, by, until
            case createdAt = "created_at"
        }

        /// A rule of these parts.
        public init(
            cidr: NetworkText?, agent: AgentPart?, reason: Reason?, by: UserReference,
            until: Timestamp?, createdAt: Timestamp
        ) {
            self.cidr = cidr
            self.agent = agent
            self.reason = reason
            self.by = by
            self.until = until
            self.createdAt = createdAt
        }
    }
    /// Which clients are denied no more: by address or by agent, one of the two.
    public struct ClientLifting: Codable, Sendable {
        /// A block of addresses, as it was denied.
        public let cidr: NetworkText?
        /// A part of the User-Agent, as it was denied.
        public let agent: AgentPart?
        /// Why.
        public let reason: Reason?
    }

    /// The rules about other nodes.
    public static let servers = Endpoint<Paged<ServersPath>, NoBody, Page<NodeRule>>(
        .get, access: .administrators, servedBy: .eta, invalid: .serverInvalidInput,
        "the rules about other nodes")
    /// Makes a rule about other nodes, or another of it.
    public static let ruleServers = Endpoint<ServersPath, NodeRuling, NodeRule>(
        .put, access: .administrators, servedBy: .eta, invalid: .serverInvalidInput,
        errors: [.insufficientStorage], created: true,
        "denies, limits or lets in other nodes")
    /// Ends a rule about other nodes.
    public static let unruleServers = Endpoint<ServersPath, NodeLifting, Nothing>(
        .delete, access: .administrators, servedBy: .eta, invalid: .serverInvalidInput,
        errors: [.serverNotFound], "ends a rule about other nodes")
    /// Which clients are denied.
    public static let clients = Endpoint<Paged<ClientsPath>, NoBody, Page<ClientRule>>(
        .get, access: .administrators, servedBy: .eta, invalid: .userInvalidInput,
        "which clients are denied")
    /// Denies clients.
    public static let denyClients = Endpoint<ClientsPath, ClientRuling, ClientRule>(
        .put, access: .administrators, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.insufficientStorage], created: true,
        "denies clients by their address or by what they call themselves")
    /// Denies clients no more.
    public static let admitClients = Endpoint<ClientsPath, ClientLifting, Nothing>(
        .delete, access: .administrators, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.userNotFound], "denies clients no more")

    /// All of them.
    public static let all: [EndpointFacts] = [
        servers.facts, ruleServers.facts, unruleServers.facts, clients.facts, denyClients.facts,
        admitClients.facts,
    ]
}
