import API
import Base
import Domain
import HTTP
import Net
import Support
import Testing

/// Lists, by whatever way the registry finds what they are of: each has what going through all of it
/// by hand would find, in the same order, with the same total.
@Suite struct ListTests {
    /// All items of a list, page by page.
    private func all(
        _ client: TypedClient, _ path: String, limit: Int = 3
    ) async throws -> (ids: [String], totals: Set<Int64>) {
        var (ids, totals): ([String], Set<Int64>) = ([], [])
        var after: String?
        repeat {
            let cursor = after.map { "&after=\($0)" } ?? ""
            let page = try await client.data(.get, "\(path)&limit=\(limit)\(cursor)")
            ids += (page["items"]?.arrayValue ?? []).compactMap { $0["id"]?.stringValue }
            if let total = page["total"]?.integerValue { totals.insert(total) }
            after = page["next"]?.stringValue
        } while after != nil
        return (ids, totals)
    }

    private func expect(
        _ client: TypedClient, _ path: String, _ wanted: [String]
    ) async throws {
        let found = try await all(client, path)
        #expect(found.ids == wanted.sorted(), "\(path)")
        #expect(found.totals == [Int64(wanted.count)], "\(path)")
    }

    @Test func `worlds are found by title, tag and owner, and hidden ones are not counted`()
        async throws
    {
        var shape = NodeShape()
        shape.ins = 0
        let node = try await TestNode.start(shape)
        let (ada, ben, root) = (
            try await node.user(), try await node.user(), try await node.administrator()
        )
        var worlds: [(id: String, title: String, owner: TestUser, tags: [String])] = []
        for number in 0..<24 {
            let owner = number % 3 == 0 ? ben : ada
            let title = ["Harbour \"quay\" \(number)", "Straße der Lichter \(number)", "ab"][
                number % 3]
            let tags =
                (number % 4 == 0 ? ["avr:private"] : []) + (number % 2 == 0 ? ["my:garden"] : [])
            let world = try await owner.client.call(
                WorldAPI.create,
                body: ["title": .string(title), "tags": .array(tags.map { .string($0) })])
            worlds.append(("\(world.id)", title, owner, tags))
        }
        // One is renamed, one hidden, one shown, one deleted.
        _ = try await ada.client.call(WorldAPI.update, worlds[1].id, body: ["title": "Harbour new"])
        worlds[1].title = "Harbour new"
        _ = try await ada.client.call(
            WorldAPI.update, worlds[2].id, body: ["tags": ["avr:private"]])
        worlds[2].tags = ["avr:private"]
        _ = try await ada.client.call(WorldAPI.update, worlds[8].id, body: ["tags": ["my:garden"]])
        worlds[8].tags = ["my:garden"]
        _ = try await ada.client.call(WorldAPI.delete, worlds[5].id)
        worlds.remove(at: 5)
        let clients: [(TypedClient, String?)] = [
            (node.client, nil), (ada.client, ada.name), (ben.client, ben.name),
            (root.client, "root"),
        ]
        for (client, name) in clients {
            for search in [
                "", "harbour", "HARBOUR", "\"quay\"", "straße", "ab", "a", "new", "none",
            ] {
                for tag in ["", "my:garden", "avr:private"] {
                    for owner in [nil, ada, ben] {
                        let wanted = worlds.filter { world in
                            (search.isEmpty
                                || world.title.lowercased().contains(search.lowercased()))
                                && (tag.isEmpty || world.tags.contains(tag))
                                && (owner == nil || owner?.name == world.owner.name)
                                && (!world.tags.contains("avr:private") || name == "root"
                                    || name == world.owner.name)
                        }.map(\.id)
                        var path = "/api/worlds?q=\(Percent.encode(search))"
                        if !tag.isEmpty { path += "&tag=\(tag)" }
                        if let owner { path += "&owner=\(owner.id)" }
                        try await expect(client, path, wanted)
                    }
                }
            }
        }
    }

    @Test func `users are found by either name and by tag`() async throws {
        var shape = NodeShape()
        shape.ins = 0
        let node = try await TestNode.start(shape)
        let root = try await node.administrator()
        var users: [(id: String, names: [String], tags: [String])] = [
            (root.id, [root.name], ["avr:admin", "avr:world_creator"])
        ]
        for number in 0..<8 {
            let name = "\(number % 2 == 0 ? "anna" : "bert")_\(number)"
            let user = try await node.user(name)
            let shown = number % 4 == 0 ? "Grün \"\(number)\"" : name
            if shown != name {
                _ = try await user.client.data(
                    .post, "/api/users/@me", ["displayname": .string(shown)])
            }
            var tags = ["avr:world_creator"]
            if number == 3 {
                try await node.eta("user", "tag", name, "avr:bot")
                tags.append("avr:bot")
            }
            users.append((user.id, [name, shown], tags))
        }
        let gone = users.remove(at: 2)
        _ = try await root.client.data(.delete, "/api/users/\(gone.id)", [:])
        for search in ["", "anna", "ANNA_", "bert_3", "grün", "\"4\"", "n", "an", "server", "none"]
        {
            for tag in ["", "avr:world_creator", "avr:bot", "avr:verified"] {
                let wanted = users.filter { user in
                    (search.isEmpty
                        || user.names.contains { $0.lowercased().contains(search.lowercased()) })
                        && (tag.isEmpty || user.tags.contains(tag))
                }.map(\.id)
                var path = "/api/users?q=\(Percent.encode(search))"
                if !tag.isEmpty { path += "&tag=\(tag)" }
                try await expect(node.client, path, wanted)
            }
        }
    }
}
