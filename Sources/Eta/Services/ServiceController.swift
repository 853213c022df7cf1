import API
import Base
import Crypto
import Domain
import HTTP
import Storage

/// The registry of services: `ServiceAPI`.
struct ServiceController: Sendable {
    let node: Node
    let database: Database
    let pushes: Pushes
    let ending: SessionEnding
    let watch: ServiceWatch
    let settings: ServiceSettings

    init(_ registry: Registry, watch: ServiceWatch) {
        node = registry.node
        database = registry.database
        pushes = registry.pushes
        ending = registry.ending
        settings = registry.settings.services
        self.watch = watch
    }

    func list(
        _ path: ServiceAPI.ListPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Page<Service> {
        let (page, tag, node) = (path.page, path.tag, node)
        return try await database.scan { (reader) throws(APIError) in
            let (found, total) = try ServiceStore.page(
                search: page.folded, tag: tag, after: page.startText, limit: page.reach, reader)
            return page.page(found, total: total, key: { Array($0.id.text.utf8) }) {
                $0.service(node)
            }
        }
    }

    func create(
        _ path: ServiceAPI.ListPath, _ body: ServiceAPI.Creation, _ context: RequestContext
    ) async throws(APIError) -> Service {
        let (caller, now, random) = (try context.user(), context.now, context.ambient.random)
        guard body.id.isReverseDomain else {
            throw APIError(
                .serviceInvalidInput, field: "id",
                "must be a domain name of its maker's, the top first: org.example.jukebox")
        }
        let tags = try TagRules.service.setting(
            body.tags ?? [], byAdministrator: context.caller.isAdministrator)
        let row = ServiceRow(
            id: body.id, title: body.title, description: body.description, address: body.address,
            secure: body.secure, tags: tags, owner: caller.id,
            session: .make(at: now, random: random), now: now)
        let token = ServiceToken.make(random: random)
        var service = row.service(node)
        try await database.write { [service] (transaction) throws(APIError) in
            let counts = try ServiceStore.counts(of: caller.id, transaction.reader)
            guard counts.all < settings.limit, counts.own < settings.perOwner else {
                throw APIError(
                    .insufficientStorage, context: "\(counts.all) services, \(counts.own) theirs")
            }
            try ServiceStore.insert(row, token: SHA256.hash(token.bytes), transaction)
            transaction.onCommit {
                pushes.announce(.service(service))
                watch.look(at: row)
            }
        }
        service.credential = token
        return service
    }

    func fetch(
        _ path: ServiceAPI.ServicePath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Service {
        let id = try own(path)
        return try database.read { (reader) throws(APIError) in
            guard let row = try ServiceStore.find(id, reader) else {
                throw APIError(.serviceNotFound)
            }
            return row.service(node)
        }
    }

    func update(
        _ path: ServiceAPI.ServicePath, _ body: ServiceAPI.Update, _ context: RequestContext
    ) async throws(APIError) -> Service {
        let id = try own(path)
        let (now, random) = (context.now, context.ambient.random)
        let token = body.renew == true ? ServiceToken.make(random: random) : nil
        var service = try await database.write { (transaction) throws(APIError) in
            var row = try owned(id, by: context.caller, transaction.reader)
            try context.requireMatch(row.service(node))
            if let title = body.title { row.title = title }
            row.description = body.description.applied(to: row.description)
            if let tags = body.tags {
                row.tags = try TagRules.service.setting(
                    tags, over: row.tags, byAdministrator: context.caller.isAdministrator)
            }
            let (address, secure) = (body.address ?? row.address, body.secure ?? row.secure)
            let isElsewhere = address != row.address || secure != row.secure
            if isElsewhere {
                (row.address, row.secure) = (address, secure)
                (row.status, row.checkedAt) = (.down, nil)
            }
            row.updatedAt = now
            try ServiceStore.update(row, transaction)
            if let token {
                try ending.end(row.session, of: row.owner, transaction)
                row.session = .make(at: now, random: random)
                try ServiceStore.renew(row, token: SHA256.hash(token.bytes), transaction)
            }
            let service = row.service(node)
            transaction.onCommit { [row] in
                pushes.announce(.service(service))
                if isElsewhere { watch.look(at: row) }
            }
            return service
        }
        await pushes.settled()
        service.credential = token
        return service
    }

    func delete(
        _ path: ServiceAPI.ServicePath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        let id = try own(path)
        try await database.write { (transaction) throws(APIError) in
            let row = try owned(id, by: context.caller, transaction.reader)
            if context.request.head.field(.ifMatch) != nil {
                try context.requireMatch(row.service(node))
            }
            if !context.caller.isUser(row.owner) {
                try AuditLog.note(
                    .deleteService, id.text, details: row.title.text, by: context.caller, node,
                    at: context.now, transaction)
            }
            try ending.end(row.session, of: row.owner, transaction)
            try ServiceStore.delete(id, transaction)
            let service = row.service(node)
            transaction.onCommit { pushes.announce(.serviceDeleted(service)) }
        }
        await pushes.settled()
        return Nothing()
    }

    /// The id that a path names, where it is this node's.
    private func own(_ path: ServiceAPI.ServicePath) throws(APIError) -> ServiceID {
        guard
            try ServerAddress.agreed(path.service.server, path.server, home: node.address) == nil
        else { throw APIError(.objectNotInternal) }
        return path.service.id
    }

    /// The service, for who may change it.
    private func owned(
        _ id: ServiceID, by caller: Caller, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> ServiceRow {
        guard let row = try ServiceStore.find(id, reader) else {
            throw APIError(.serviceNotFound)
        }
        guard caller.isUser(row.owner) || caller.isAdministrator else {
            throw APIError(.userDontHavePermission)
        }
        return row
    }

    /// A Reil has asked whether a service is there.
    func checked(
        _ path: RegistryAPI.ServicePath, _ body: RegistryAPI.ServiceCheck,
        _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        try await database.write { (transaction) throws(APIError) in
            // What is elsewhere by now was not asked.
            guard var row = try ServiceStore.find(path.service, transaction.reader),
                row.address == body.address, row.secure == body.secure
            else { return Nothing() }
            let status: ServiceStatus = body.isUp ? .up : .down
            let isNews = status != row.status
            (row.status, row.checkedAt) = (status, context.now)
            try ServiceStore.update(row, transaction)
            if isNews {
                let service = row.service(node)
                transaction.onCommit { pushes.announce(.service(service)) }
            }
            return Nothing()
        }
    }
}
