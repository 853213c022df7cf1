import API
import Domain

extension Registry {
    /// Binds what administrators do to keep order.
    func bindModeration(_ router: inout Router) {
        let moderation = ModerationController(self)
        router.on(
            ModerationAPI.suspended, csv: CSVForm(export: moderation.table), moderation.suspended)
        router.on(
            ModerationAPI.suspend, csv: CSVForm(import: moderation.take), moderation.suspend)
        router.on(ModerationAPI.unsuspend, moderation.unsuspend)
        router.on(ModerationAPI.log, moderation.log)
        let rules = RuleController(self)
        router.on(RulesAPI.servers, csv: CSVForm(export: rules.serverTable), rules.servers)
        router.on(RulesAPI.ruleServers, csv: CSVForm(import: rules.takeServers), rules.ruleServers)
        router.on(RulesAPI.unruleServers, rules.unruleServers)
        router.on(OperatorAPI.rules, rules.servers)
        router.on(OperatorAPI.rule, rules.ruleServers)
        router.on(OperatorAPI.unrule, rules.unruleServers)
        router.on(RulesAPI.clients, csv: CSVForm(export: rules.clientTable), rules.clients)
        router.on(RulesAPI.denyClients, csv: CSVForm(import: rules.takeClients), rules.denyClients)
        router.on(RulesAPI.admitClients, rules.admitClients)
        let reports = ReportController(self)
        router.on(ReportAPI.make, reports.make)
        router.on(ReportAPI.list, reports.list)
        router.on(ReportAPI.handle, reports.handle)
        sweeper.every(.milliseconds(500), "rules") { () async throws(APIError) in
            try await rules.sweep()
        }
        sweeper.every(.milliseconds(500), "suspensions") { () async throws(APIError) in
            try await moderation.sweep()
        }
    }
}
