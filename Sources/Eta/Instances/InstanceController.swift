import API
import Base
import Domain
import Storage

/// Records of live instances: `InstanceAPI`.
struct InstanceController: Sendable {
    let node: Node
    let database: Database
    let pushes: Pushes
    let keeper: InstanceKeeper
    let placer: InstancePlacer
    /// Whether users of other nodes may make instances here.
    let visitors: Bool

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        pushes = registry.pushes
        keeper = InstanceKeeper(registry)
        placer = InstancePlacer(roster: registry.roster)
        visitors = registry.settings.visitors
    }

    func list(
        _ path: InstanceAPI.ListPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Page<Instance> {
        let viewer = context.caller.reference(home: node.address)
        let filter = InstanceStore.Filter(
            search: path.page.folded, tag: path.tag,
            owner: path.owner?.absolute(at: node.address),
            world: path.world?.absolute(at: node.address).version(nil),
            version: path.world?.version, viewer: viewer,
            isAdministrator: context.caller.isAdministrator)
        let page = path.page
        let node = node
        return try await database.scan { (reader) throws(APIError) in
            let (found, total) = try InstanceStore.page(
                filter, after: page.start, limit: page.reach, reader)
            // Who is in it is told as a whole, and only to those who are, or whose it is.
            let players = viewer == nil ? [:] : try PlayerStore.all(in: found.map(\.id), reader)
            return page.page(found, total: total, key: \.id.bytes) { instance in
                let present = players[instance.id] ?? []
                let isTold = instance.owner == viewer || present.contains { $0.user == viewer }
                return instance.instance(isTold ? present : nil, node)
            }
        }
    }

    func fetch(
        _ path: InstanceAPI.InstancePath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Instance {
        try database.read { (reader) throws(APIError) in
            let (instance, standing) = try InstanceGate.visible(
                path.instance, to: context.caller, node, reader)
            return try InstanceGate.view(instance, standing, node, reader)
        }
    }

    // MARK: Making

    func create(
        _ path: InstanceAPI.ListPath, _ body: InstanceAPI.Creation, _ context: RequestContext
    ) async throws(APIError) -> Instance {
        guard let owner = context.caller.reference(home: node.address) else {
            throw APIError(.userNotLogged)
        }
        if let visitor = context.caller.visitor {
            guard visitors else { throw APIError(.serviceDisabled) }
            if visitor.limited { throw APIError(.userDontHavePermission) }
        }
        let tags = try TagRules.instance.setting(
            body.tags ?? [], byAdministrator: context.caller.isAdministrator)
        let world = body.world.absolute(at: node.address)
        try requireReach(of: world, for: context.caller)
        let (now, random) = (context.now, context.ambient.random)
        let view = try await database.write { (transaction) throws(APIError) in
            let (world, capacity) = try chosen(world, context, transaction.reader)
            let name =
                if let name = body.name { name } else {
                    try freeName(random, transaction.reader)
                }
            var row = InstanceRow(
                id: .make(at: now, random: random), name: name, world: world, owner: owner,
                capacity: body.capacity ?? capacity, tags: tags, now: now)
            row.title = body.title
            row.description = body.description
            row.moderators = try moderators(body.moderators ?? [], transaction.reader)
            row.ins = try placer.choose(named: body.ins, transaction.reader)
            row.epoch = 1
            let ownWorld = world.isInternal(to: node.address) ? world.id : nil
            try InstanceStore.insert(row, ownWorld: ownWorld, transaction)
            tell(of: row, hosting: row.hosting, transaction)
            return row.instance([], node)
        }
        await pushes.settled()
        return view
    }

    /// Refuses worlds of other nodes that the caller may not read, or that a visitor has no part
    /// in: they name worlds of this node and of their home.
    private func requireReach(
        of world: WorldReference, for caller: Caller
    ) throws(APIError) {
        if world.isInternal(to: node.address) { return }
        if let visitor = caller.visitor {
            guard world.server == visitor.user.server else {
                throw APIError(
                    .userDontHavePermission, field: "world", "must be of this node or of your home")
            }
        } else if !caller.may(.fetchExternal) {
            throw APIError(.userCannotFetch)
        }
    }

    /// The world in the version that the instance keeps, and how many players it is meant for.
    ///
    /// - Throws: 33 for a version that there is not; for a world of another node that was not read
    ///   yet, that it is to be.
    private func chosen(
        _ world: WorldReference, _ context: RequestContext, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (WorldReference, Capacity) {
        let (found, capacity): (WorldReference, Capacity)
        if world.isInternal(to: node.address) {
            let (row, _) = try WorldGate.visible(world.id, to: context.caller, node, reader)
            let version: AssetLabel? =
                if let named = world.version {
                    try AssetStore.hasVersion(named, of: world.id, reader) ? named : nil
                } else {
                    try AssetStore.newestVersion(of: world.id, reader)
                }
            (found, capacity) = (world.version(version), row.capacity)
        } else if let read = context.worldRead(for: world) {
            (found, capacity) = (read.world, read.capacity)
        } else {
            throw .worldAbroad(world, for: .choice)
        }
        if let named = world.version, found.version != named {
            throw APIError(.instanceInvalidInput, field: "world", "has no version \(named)")
        }
        return (found, capacity)
    }

    /// One of sixteen million; with half of them taken the sixth is free all but never not.
    private func freeName(
        _ random: any RandomSource, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> InstanceName {
        for _ in 0..<64 {
            let name = InstanceName.make(random: random)
            if try !InstanceStore.isTaken(name, reader) { return name }
        }
        throw APIError(.instanceAlreadyExists)
    }

    private func moderators(
        _ named: [UserReference], _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [UserReference] {
        try NamedPeople.kept(
            named, field: "moderators", limit: InstanceGate.moderatorLimit,
            or: .instanceInvalidInput, node, reader)
    }

    // MARK: Changing

    func update(
        _ path: InstanceAPI.InstancePath, _ body: InstanceAPI.Update, _ context: RequestContext
    ) async throws(APIError) -> Instance {
        let view = try await database.write { (transaction) throws(APIError) in
            var (row, standing) = try InstanceGate.visible(
                path.instance, to: context.caller, node, transaction.reader)
            guard AccessRules.mayDescribe(standing),
                AccessRules.mayEdit(standing) || body.onlyDescribes
            else { throw APIError(.userDontHavePermission) }
            try context.requireMatch(
                InstanceGate.view(row, standing, node, transaction.reader))
            let before = row
            try apply(body, to: &row, standing, transaction.reader)
            row.updatedAt = context.now
            try InstanceStore.update(row, transaction)
            // Who has handed it over may not be let to it any more; the answer is still theirs.
            guard let after = try InstanceStore.find(.id(row.id), transaction.reader) else {
                throw APIError(.instanceNotFound)
            }
            let now = try InstanceGate.standing(
                of: context.caller, to: after, node, transaction.reader)
            let isHostedAnew = before.owner != row.owner || before.capacity != row.capacity
            try keeper.line.fill(row.id, at: context.now, transaction)
            tell(of: after, hosting: isHostedAnew ? after.hosting : nil, transaction)
            return try InstanceGate.view(after, now, node, transaction.reader)
        }
        await pushes.settled()
        return view
    }

    /// Tells every Reil, on the commit, who runs the instance where that is news, and how it is.
    private func tell(
        of row: InstanceRow, hosting: Hosting?, _ transaction: borrowing Transaction<APIError>
    ) {
        let instance = row.instance(nil, node)
        transaction.onCommit {
            if let hosting { pushes.host(hosting) }
            pushes.announce(.instance(instance))
        }
    }

    private func apply(
        _ body: InstanceAPI.Update, to row: inout InstanceRow, _ standing: InstanceStanding,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) {
        row.title = body.title.applied(to: row.title)
        row.description = body.description.applied(to: row.description)
        if let name = body.name { row.name = name }
        if let capacity = body.capacity { row.capacity = capacity }
        if let tags = body.tags {
            row.tags = try TagRules.instance.setting(
                tags, over: row.tags, byAdministrator: standing.isAdministrator)
        }
        if let named = body.moderators { row.moderators = try moderators(named, reader) }
        if let owner = body.owner?.absolute(at: node.address), owner != row.owner {
            guard try PlayerStore.count(of: owner, in: row.id, reader) > 0 else {
                throw APIError(.instanceInvalidInput, field: "owner", "must be a member")
            }
            row.owner = owner
        }
    }

    func delete(
        _ path: InstanceAPI.InstancePath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        try await database.write { (transaction) throws(APIError) in
            let (row, standing) = try InstanceGate.visible(
                path.instance, to: context.caller, node, transaction.reader)
            guard AccessRules.mayEdit(standing) else { throw APIError(.userDontHavePermission) }
            try context.requireMatch(InstanceGate.view(row, standing, node, transaction.reader))
            if !standing.isOwner {
                try AuditLog.note(
                    .deleteInstance, row.id.text, details: row.name.text, by: context.caller,
                    node, at: context.now, transaction)
            }
            try keeper.end(row.id, transaction)
        }
        await pushes.settled()
        return Nothing()
    }
}

extension InstanceAPI.Update {
    /// Whether it changes nothing but what moderators may change, too.
    fileprivate var onlyDescribes: Bool {
        name == nil && capacity == nil && tags == nil && moderators == nil && owner == nil
    }
}
