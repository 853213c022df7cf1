import API
import Base
import Domain
import Storage

/// What moderation has as tables: a list is taken along, and brought elsewhere. The columns are named as
/// the fields of the objects, but for `address`, which operators of other federations know.

extension ModerationController {
    /// All who are suspended.
    func table(_ context: RequestContext) async throws(APIError) -> [[String]] {
        try await database.scan { (reader) throws(APIError) in
            let (found, _) = try SuspensionStore.page(
                search: nil, after: "", limit: .max, reader)
            return [["user", "reason", "until"]]
                + found.map { [$0.user.text, $0.reason?.text ?? "", $0.until.column] }
        }
    }

    /// Suspends all of a table, or nobody.
    func take(_ lines: [CSVForm.Line], _ context: RequestContext) async throws(APIError) {
        guard let judge = context.caller.reference(home: node.address) else {
            throw APIError(.userNotLogged)
        }
        var suspensions: [ModerationAPI.Suspension] = []
        for line in lines {
            let user = try line.needed(
                "user", UserReference.expectation, or: .userInvalidInput
            ) { UserReference($0) }
            suspensions.append(
                ModerationAPI.Suspension(
                    user: user.absolute(at: node.address),
                    reason: try line.reason(or: .userInvalidInput), by: judge,
                    until: try line.until(after: context.now, or: .userInvalidInput),
                    createdAt: context.now))
        }
        try await suspend(suspensions, by: context.caller, at: context.now)
    }
}

extension RuleController {
    /// All rules about nodes.
    func serverTable(_ context: RequestContext) async throws(APIError) -> [[String]] {
        try await database.scan { (reader) throws(APIError) in
            let (found, _) = try RuleStore.page(
                ofServers: true, search: nil, after: "", limit: .max, reader)
            return [["address", "action", "reason", "until"]]
                + found.map {
                    [$0.subject, $0.action.rawValue, $0.reason?.text ?? "", $0.until.column]
                }
        }
    }

    /// Makes all rules of a table, or none.
    func takeServers(_ lines: [CSVForm.Line], _ context: RequestContext) async throws(APIError) {
        let refusal = ErrorCode.serverInvalidInput
        var rows: [RuleRow] = []
        for line in lines {
            let rule = try line.needed("address", NodePattern.expectation, or: refusal) {
                NodePattern($0)
            }
            let action = try line.needed("action", "deny, limit or allow", or: refusal) {
                NodeAction(rawValue: $0)
            }
            rows.append(
                RuleRow(
                    .server, rule.text, action: action, reason: try line.reason(or: refusal),
                    by: context.caller.reference(home: node.address),
                    until: try line.until(after: context.now, or: refusal),
                    createdAt: context.now))
        }
        try await set(rows, by: context.caller, or: refusal)
    }

    /// All clients that are denied.
    func clientTable(_ context: RequestContext) async throws(APIError) -> [[String]] {
        try await database.scan { (reader) throws(APIError) in
            let (found, _) = try RuleStore.page(
                ofServers: false, search: nil, after: "", limit: .max, reader)
            return [["cidr", "agent", "reason", "until"]]
                + found.map { row in
                    [
                        row.list == .cidr ? row.subject : "",
                        row.list == .agent ? row.subject : "", row.reason?.text ?? "",
                        row.until.column,
                    ]
                }
        }
    }

    /// Denies all clients of a table, or none.
    func takeClients(_ lines: [CSVForm.Line], _ context: RequestContext) async throws(APIError) {
        let refusal = ErrorCode.userInvalidInput
        var rows: [RuleRow] = []
        for line in lines {
            let ruling = RulesAPI.ClientRuling(
                cidr: try line.value("cidr", NetworkText.expectation, or: refusal) {
                    NetworkText($0)
                },
                agent: try line.value("agent", AgentPart.expectation, or: refusal) {
                    AgentPart($0)
                }, reason: try line.reason(or: refusal),
                until: try line.until(after: context.now, or: refusal))
            rows.append(try row(of: ruling, context))
        }
        try await set(rows, by: context.caller, or: refusal)
    }
}

extension CSVForm.Line {
    fileprivate func reason(or refusal: ErrorCode) throws(APIError) -> Reason? {
        try value("reason", Reason.expectation, or: refusal) { Reason($0) }
    }

    fileprivate func until(
        after now: Timestamp, or refusal: ErrorCode
    ) throws(APIError) -> Timestamp? {
        try value("until", "a time that is yet to come, in Unix milliseconds", or: refusal) {
            Int64($0).map { Timestamp(milliseconds: $0) }.flatMap { $0 > now ? $0 : nil }
        }
    }
}

extension Timestamp? {
    /// As it stands in a table.
    fileprivate var column: String { map { "\($0.milliseconds)" } ?? "" }
}
