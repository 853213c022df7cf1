import Base
import Domain
import HTTP

/// What the operator's commands at Reil ask of Eta, by the key of the node's processes.
public enum OperatorAPI {
    /// `/internal/rules`
    public struct RulesPath: FixedPath {
        /// Where it stands.
        public static let template = "/internal/rules"
        /// The only value.
        public init() {}
    }

    /// The rules about other nodes.
    public static let rules = Endpoint<Paged<RulesPath>, NoBody, Page<RulesAPI.NodeRule>>(
        .get, access: .gateway, servedBy: .eta, invalid: .serverInvalidInput, volatile: true,
        "the rules about other nodes")
    /// Makes a rule about other nodes.
    public static let rule = Endpoint<RulesPath, RulesAPI.NodeRuling, RulesAPI.NodeRule>(
        .put, access: .gateway, servedBy: .eta, invalid: .serverInvalidInput,
        "denies, limits or lets in other nodes")
    /// Ends a rule about other nodes.
    public static let unrule = Endpoint<RulesPath, RulesAPI.NodeLifting, Nothing>(
        .delete, access: .gateway, servedBy: .eta, invalid: .serverInvalidInput,
        "ends a rule about other nodes")

    /// All of them.
    public static let all: [EndpointFacts] = [rules.facts, rule.facts, unrule.facts]
}
