import API
import Base
import Domain
import Net
import Runtime

/// `reil block`, `reil unblock` and `reil rules`: rules about other nodes from the command line, for an
/// operator who cannot log in, or has many. They are Eta's, which has to run.
enum RuleCommands {
    static let all = [
        Subcommand(
            "block", arguments: ["RULE"],
            options: [
                CommandOption(
                    "action", value: "deny|limit|allow",
                    help: "What is done with them: deny unless told"),
                CommandOption("reason", value: "TEXT", help: "Why, for who reads the list"),
            ],
            help: "Makes a rule about other nodes: ADDRESS, *.SUFFIX or a network in CIDR form",
            run: block),
        Subcommand(
            "unblock", arguments: ["RULE"], help: "Ends a rule about other nodes", run: unblock),
        Subcommand("rules", help: "Lists the rules about other nodes", run: list),
    ]

    private static func block(_ launch: Launch) async throws {
        let words = launch.invocation
        let action: NodeAction
        if let text = words.option("action") {
            guard let known = NodeAction(rawValue: text) else {
                throw ConfigError.usage("--action: \"\(text)\" is not deny, limit or allow")
            }
            action = known
        } else {
            action = .deny
        }
        var reason: Reason?
        if let text = words.option("reason") {
            reason = Reason(text)
            guard reason != nil else {
                throw ConfigError.usage("--reason must be \(Reason.expectation)")
            }
        }
        let ruling = RulesAPI.NodeRuling(
            rule: try pattern(launch), action: action, reason: reason)
        let made = try await ask(launch) { (eta, loop) throws(APIError) in
            try await eta.call(OperatorAPI.rule, ruling, on: loop)
        }
        answer([made], launch, done: "\(made.rule): \(made.action.rawValue)")
    }

    private static func unblock(_ launch: Launch) async throws {
        let lifting = RulesAPI.NodeLifting(rule: try pattern(launch))
        let _: Nothing = try await ask(launch) { (eta, loop) throws(APIError) in
            try await eta.call(OperatorAPI.unrule, lifting, on: loop)
        }
        if launch.invocation.json {
            launch.answer(json: ["rule": .string(lifting.rule.text)])
        } else {
            launch.answer("\(lifting.rule): no rule any more")
        }
    }

    private static func list(_ launch: Launch) async throws {
        let rules = try await ask(launch) { (eta, loop) throws(APIError) in
            var rules: [RulesAPI.NodeRule] = []
            var query = "?limit=100"
            while true {
                let page = try await eta.call(
                    OperatorAPI.rules, NoBody(), query: query, on: loop)
                rules += page.items
                guard let next = page.next else { return rules }
                query = "?limit=100&after=\(next)"
            }
        }
        answer(rules, launch, done: rules.isEmpty ? "no rules" : nil)
    }

    private static func answer(
        _ rules: [RulesAPI.NodeRule], _ launch: Launch, done: String?
    ) {
        if launch.invocation.json {
            return launch.answer(json: ["rules": .array(rules.map { JSONCoder.value($0) })])
        }
        if let done { return launch.answer(done) }
        for rule in rules {
            let reason = rule.reason.map { "  \($0)" } ?? ""
            launch.answer("\(rule.action.rawValue)\t\(rule.rule)\(reason)")
        }
    }

    private static func pattern(_ launch: Launch) throws -> NodePattern {
        let text = launch.invocation.arguments[0]
        guard let pattern = NodePattern(text) else {
            throw ConfigError.usage("\"\(text)\" is not \(NodePattern.expectation)")
        }
        return pattern
    }

    /// Asks the Eta that is set, in the name of the node's processes.
    private static func ask<Answer: Sendable>(
        _ launch: Launch,
        _ work: @Sendable (EtaLink, any LoopExecutor) async throws(APIError) -> Answer
    ) async throws -> Answer {
        let settings = try ReilSettings(launch.config)
        let path = launch.config[ReilSettings.clusterKey]
        guard let key = try KeyFiles.clusterKey(path) else {
            throw Fault(
                "there is no cluster key at \(path)",
                remedy: "set cluster.key to the file that eta made")
        }
        let names = BlockingPool(name: "resolver", threads: 1, queueLimit: 16)
        let client = HTTPClient(
            group: launch.group, resolver: Resolver(pool: names), limits: .withinNode)
        let eta = EtaLink(
            eta: settings.eta, clusterKey: key, client: client, loops: launch.group.loops,
            ambient: launch.ambient)
        do throws(APIError) {
            return try await work(eta, launch.group.loops[0])
        } catch {
            if let problem = error.details.first {
                throw ConfigError.usage("\(problem.field) \(problem.message)")
            }
            let isAway = error.code == .overloaded
            throw Fault(
                isAway
                    ? "eta at \(settings.eta.host):\(settings.eta.port) does not answer"
                    : error.code == .serverNotFound ? "there is no such rule" : error.code.message,
                remedy: isAway ? "start it, or set reil.eta" : "see `reil rules`")
        }
    }
}
