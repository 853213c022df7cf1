import API
import Base
import Domain
import Storage

/// What users want administrators to look at: `ReportAPI`.
struct ReportController: Sendable {
    let node: Node
    let database: Database
    let outbox: Outbox
    let limit: Int

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        outbox = Outbox(registry)
        limit = registry.settings.rules.reports
    }

    func make(
        _ path: ReportAPI.MakePath, _ body: ReportAPI.Making, _ context: RequestContext
    ) async throws(APIError) -> Report {
        guard let reporter = context.caller.reference(home: node.address) else {
            throw APIError(.userNotLogged)
        }
        let about = body.about.absolute(at: node.address)
        return try await database.write { (transaction) throws(APIError) in
            try requireThere(about, transaction.reader)
            let report = try ReportStore.add(
                about, body.reason, by: reporter, limit: limit, at: context.now, transaction)
            if body.forward == true, let server = about.server, server != node.address {
                try outbox.append(.report(about, body.reason), for: server, transaction)
            }
            return report
        }
    }

    /// Refuses what would have to be here and is not; of what is elsewhere nobody here knows.
    private func requireThere(
        _ about: ReportSubject, _ reader: borrowing Reader<APIError>
    ) throws(APIError) {
        guard about.server == node.address else { return }
        let isThere =
            switch about.kind {
            case .user(let user): try UserStore.find(user.id, reader) != nil
            case .world(let world): try WorldStore.find(world.id, reader) != nil
            case .instance(let instance):
                try InstanceStore.find(.id(instance.id), reader) != nil
            case .server: true
            }
        guard isThere else {
            throw APIError(.userInvalidInput, field: "about", "is nothing that is here")
        }
    }

    func list(
        _ path: ReportAPI.ListPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Page<Report> {
        let (page, state) = (path.page, path.state)
        let before = page.after.flatMap { Int64(String(decoding: $0.key, as: UTF8.self)) }
        return try await database.scan { (reader) throws(APIError) in
            let (found, total) = try ReportStore.page(
                state, search: page.folded, before: before, limit: page.reach, reader)
            return page.page(found, total: total, key: { Array("\($0.id)".utf8) }) { $0 }
        }
    }

    func handle(
        _ path: ReportAPI.ReportPath, _ body: ReportAPI.Handling, _ context: RequestContext
    ) async throws(APIError) -> Report {
        try await database.write { (transaction) throws(APIError) in
            guard let report = try ReportStore.find(path.id, transaction.reader) else {
                throw APIError(.requestNotFound)
            }
            try context.requireMatch(report)
            try ReportStore.handle(
                path.id, body.state, note: body.note.applied(to: report.note), at: context.now,
                transaction)
            try AuditLog.note(
                .handleReport, report.about.text, details: "\(path.id) \(body.state.rawValue)",
                by: context.caller, node, at: context.now, transaction)
            guard let now = try ReportStore.find(path.id, transaction.reader) else {
                throw APIError(.requestNotFound)
            }
            return now
        }
    }
}
