import API
import Base
import Domain
import HTTP
import Storage

/// Which other nodes and which clients the node has dealings with: `RulesAPI`.
struct RuleController: Sendable {
    let node: Node
    let database: Database
    let rules: RuleBook
    let clock: any ClockSource
    let limits: RuleLimits

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        rules = registry.rules
        clock = registry.ambient.clock
        limits = registry.settings.rules
    }

    func servers<Path: FixedPath>(
        _ path: Paged<Path>, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Page<RulesAPI.NodeRule> {
        let page = path.page
        return try await database.scan { (reader) throws(APIError) in
            let (found, total) = try RuleStore.page(
                ofServers: true, search: page.folded, after: page.startText, limit: page.reach,
                reader)
            return page.page(found, total: total, key: RuleStore.key) { $0.nodeRule }
        }
    }

    func ruleServers<Path: FixedPath>(
        _ path: Path, _ body: RulesAPI.NodeRuling, _ context: RequestContext
    ) async throws(APIError) -> RulesAPI.NodeRule {
        let row = RuleRow(
            .server, body.rule.text, action: body.action, reason: body.reason,
            by: context.caller.reference(home: node.address), until: body.until,
            createdAt: context.now)
        try await set([row], by: context.caller, or: .serverInvalidInput)
        return row.nodeRule
    }

    func unruleServers<Path: FixedPath>(
        _ path: Path, _ body: RulesAPI.NodeLifting, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        try await lift(
            .server, body.rule.text, reason: body.reason, context, or: .serverNotFound)
    }

    func clients(
        _ path: Paged<RulesAPI.ClientsPath>, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Page<RulesAPI.ClientRule> {
        let (page, node) = (path.page, node)
        return try await database.scan { (reader) throws(APIError) in
            let (found, total) = try RuleStore.page(
                ofServers: false, search: page.folded, after: page.startText, limit: page.reach,
                reader)
            return page.page(found, total: total, key: RuleStore.key) { $0.clientRule(node) }
        }
    }

    func denyClients(
        _ path: RulesAPI.ClientsPath, _ body: RulesAPI.ClientRuling, _ context: RequestContext
    ) async throws(APIError) -> RulesAPI.ClientRule {
        let row = try row(of: body, context)
        try await set([row], by: context.caller, or: .userInvalidInput)
        return row.clientRule(node)
    }

    /// A rule about clients, who are not the one that makes it.
    func row(
        of body: RulesAPI.ClientRuling, _ context: RequestContext
    ) throws(APIError) -> RuleRow {
        let (list, subject) = try Self.subject(body.cidr, body.agent)
        // Who shuts themself out can open no more.
        if let cidr = body.cidr, cidr.range.contains(context.client) {
            throw APIError(.userInvalidInput, field: "cidr", "holds your own address")
        }
        if let agent = body.agent, let own = context.request.head.field(.userAgent),
            ClientRules(agents: [agent]).denies(agent: own)
        {
            throw APIError(.userInvalidInput, field: "agent", "is how your own client is called")
        }
        return RuleRow(
            list, subject, reason: body.reason,
            by: context.caller.reference(home: node.address), until: body.until,
            createdAt: context.now)
    }

    func admitClients(
        _ path: RulesAPI.ClientsPath, _ body: RulesAPI.ClientLifting, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        let (list, subject) = try Self.subject(body.cidr, body.agent)
        return try await lift(list, subject, reason: body.reason, context, or: .userNotFound)
    }

    private static func subject(
        _ cidr: NetworkText?, _ agent: AgentPart?
    ) throws(APIError) -> (RuleList, String) {
        switch (cidr, agent) {
        case (let cidr?, nil): return (.cidr, cidr.text)
        case (nil, let agent?): return (.agent, agent.text.lowercased())
        case (nil, nil), (.some, .some):
            throw APIError(.userInvalidInput, field: "cidr", "or agent, one of the two")
        }
    }

    /// All of `rows` hold from now on, or none; back when they have taken effect everywhere.
    func set(
        _ rows: [RuleRow], by caller: Caller, or refusal: ErrorCode
    ) async throws(APIError) {
        let now = clock.timestamp()
        if rows.contains(where: { $0.until.map { $0 <= now } ?? false }) {
            throw APIError(refusal, field: "until", "must be yet to come")
        }
        if rows.contains(where: { $0.list == .server && $0.subject == node.address.text }) {
            throw APIError(refusal, field: "rule", "is this node itself")
        }
        try await database.write { (transaction) throws(APIError) in
            for row in rows {
                let limit = row.list == .agent ? limits.agents : limits.rules
                if try RuleStore.isFull(
                    row.list, for: row.subject, limit: limit, transaction.reader)
                {
                    throw APIError(.insufficientStorage, context: "\(limit) rules")
                }
                try RuleStore.set(row, transaction)
                try AuditLog.note(
                    row.list == .server ? .ruleNodes : .denyClients, row.subject,
                    reason: row.reason, details: row.list == .server ? row.action.rawValue : nil,
                    by: caller, node, at: now, transaction)
            }
            try rules.changed(transaction)
        }
        await rules.settled()
    }

    private func lift(
        _ list: RuleList, _ subject: String, reason: Reason?, _ context: RequestContext,
        or missing: ErrorCode
    ) async throws(APIError) -> Nothing {
        try await database.write { (transaction) throws(APIError) in
            guard try RuleStore.delete(list, subject, transaction) else {
                throw APIError(missing)
            }
            try AuditLog.note(
                list == .server ? .unruleNodes : .admitClients, subject, reason: reason,
                by: context.caller, node, at: context.now, transaction)
            try rules.changed(transaction)
        }
        await rules.settled()
        return Nothing()
    }

    /// Forgets what has ended by itself.
    func sweep() async throws(APIError) {
        let now = clock.timestamp()
        let isDue = try database.read { (reader) throws(APIError) in
            try RuleStore.isAnyOver(at: now, reader)
        }
        if !isDue { return }
        try await database.write { (transaction) throws(APIError) in
            try RuleStore.sweep(at: now, transaction)
            try rules.changed(transaction)
        }
    }
}

extension RuleRow {
    /// As administrators see one about other nodes.
    fileprivate var nodeRule: RulesAPI.NodeRule {
        RulesAPI.NodeRule(
            rule: NodePattern(subject) ?? .sample, action: action, reason: reason, by: by,
            until: until, createdAt: createdAt)
    }

    /// As administrators see one about clients.
    fileprivate func clientRule(_ node: Node) -> RulesAPI.ClientRule {
        RulesAPI.ClientRule(
            cidr: list == .cidr ? NetworkText(subject) : nil,
            agent: list == .agent ? AgentPart(subject) : nil, reason: reason,
            by: by ?? node.reference(node.account), until: until, createdAt: createdAt)
    }
}
