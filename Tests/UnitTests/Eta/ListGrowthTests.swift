import Base
import Domain
import Storage
import Testing

@testable import Eta

/// Lists of more rows than are looked at one by one: where many match, the totals come from what is
/// kept beside the rows, and have to be what counting gives.
@Suite struct ListGrowthTests {
    private static let user = Command<UserID, String>(
        """
        INSERT INTO user (
            id, username, username_key, displayname, displayname_key, password, created_at,
            updated_at
        ) VALUES (?1, ?2, ?2, ?2, ?2, 'x', 0, 0)
        """)
    private static let tag = Command<UserID, String>("INSERT INTO user_tag VALUES (?1, ?2)")
    private static let world = Command<WorldID, String, String, UserID>(
        """
        INSERT INTO world (
            id, title, title_key, capacity, owner_id, contributors, tags, created_at, updated_at
        ) VALUES (?1, ?2, lower(?2), 8, ?4, '', ?3, 0, 0)
        """)
    private static let renameAll = Command<String>(
        "UPDATE world SET title_key = replace(title_key, 'harbour', ?1)")
    private static let hideAll = Command<String>("UPDATE world SET tags = ?1")
    private static let deleteUsers = Command<String>(
        "DELETE FROM user WHERE instr(username_key, ?1) > 0")
    private static let untagAll = Command<String>("DELETE FROM user_tag WHERE tag = ?1")

    private static let many = SearchMatch.few + 200

    private func total(
        _ eta: TestRegistry, _ path: String, as caller: Caller = .nobody
    ) async throws -> (total: Int64?, first: [String?]) {
        let answer = await eta.ask("GET", path, as: caller)
        #expect(answer.status == 200, "\(answer.text)")
        let names = (answer["items"]?.arrayValue ?? []).prefix(2).map {
            ($0["title"] ?? $0["username"])?.stringValue
        }
        return (answer["total"]?.integerValue, names)
    }

    @Test func `totals of many worlds are those of who looks, whatever becomes of them`()
        async throws
    {
        let eta = try await TestRegistry()
        let (ada, ben) = (try await eta.user("ada_one"), try await eta.user("ben_one"))
        let database = eta.registry.database
        let clock = eta.clock
        try await database.write { (transaction) throws(APIError) in
            for number in 0..<Self.many {
                clock.advance(by: .milliseconds(1))
                let id = WorldID.make(clock: clock, random: SystemRandom())
                let tags = (number % 10 == 0 ? " avr:private" : "") + " my:garden "
                try transaction.run(
                    Self.world, id, "Harbour \(number)", tags, number % 2 == 0 ? ada.id : ben.id)
            }
        }
        let (all, hidden) = (Int64(Self.many), Int64(Self.many / 10))
        let (adas, bens) = (Caller.user(ada), Caller.user(ben))
        for path in ["?", "?q=harbour", "?tag=my:garden", "?q=harbour&tag=my:garden", "?q=ha"] {
            let path = "/api/worlds" + path
            #expect(try await total(eta, path).total == all - hidden, "\(path)")
            // The private ones are all of Ada's.
            #expect(try await total(eta, path, as: adas).total == all, "\(path)")
            #expect(try await total(eta, path, as: bens).total == all - hidden, "\(path)")
            #expect(try await total(eta, path).first == ["Harbour 1", "Harbour 2"], "\(path)")
            #expect(
                try await total(eta, path, as: adas).first == ["Harbour 0", "Harbour 1"], "\(path)")
        }
        let own = "/api/worlds?owner=\(ada.id)"
        #expect(try await total(eta, own).total == all / 2 - hidden)
        #expect(try await total(eta, own, as: adas).total == all / 2)
        #expect(try await total(eta, "/api/worlds?q=harbour%20119").total == 10)
        #expect(try await total(eta, "/api/worlds?q=harbour%20119", as: adas).total == 11)
        try await database.write { (transaction) throws(APIError) in
            _ = try transaction.run(Self.renameAll, "castle")
        }
        #expect(try await total(eta, "/api/worlds?q=harbour").total == 0)
        #expect(try await total(eta, "/api/worlds?q=castle").total == all - hidden)
        try await database.write { (transaction) throws(APIError) in
            _ = try transaction.run(Self.hideAll, " avr:private ")
        }
        for path in ["", "?q=castle", "?tag=my:garden"] {
            #expect(try await total(eta, "/api/worlds" + path).total == 0, "\(path)")
        }
        #expect(try await total(eta, "/api/worlds", as: bens).total == all / 2)
        // With their owner they go.
        try await database.write { (transaction) throws(APIError) in
            _ = try transaction.run(Self.deleteUsers, "ben_one")
        }
        #expect(try await total(eta, "/api/worlds?q=castle", as: adas).total == all / 2)
        #expect(try await total(eta, "/api/worlds", as: adas).total == all / 2)
    }

    @Test func `totals of many users are without the node's own account`() async throws {
        let eta = try await TestRegistry()
        let database = eta.registry.database
        let clock = eta.clock
        try await database.write { (transaction) throws(APIError) in
            for number in 0..<Self.many {
                clock.advance(by: .milliseconds(1))
                let id = UserID.make(clock: clock, random: SystemRandom())
                try transaction.run(Self.user, id, "reserver_\(number)")
                try transaction.run(Self.tag, id, "avr:bot")
                if number % 2 == 0 { try transaction.run(Self.tag, id, "avr:verified") }
            }
        }
        let all = Int64(Self.many)
        // The node's own account is called server, too.
        for path in [
            "", "?q=reserver", "?q=server", "?q=er", "?tag=avr:bot", "?q=server&tag=avr:bot",
        ] {
            let found = try await total(eta, "/api/users" + path)
            #expect(found.total == all, "\(path)")
            #expect(found.first == ["reserver_0", "reserver_1"], "\(path)")
        }
        let half = try await total(eta, "/api/users?q=reserver&tag=avr:verified")
        #expect(half.total == all / 2 && half.first == ["reserver_0", "reserver_2"], "\(half)")
        #expect(try await total(eta, "/api/users?q=reserver_119").total == 11)
        try await database.write { (transaction) throws(APIError) in
            _ = try transaction.run(Self.deleteUsers, "reserver_1")
        }
        let left = (0..<Self.many).count { !"\($0)".hasPrefix("1") }
        for path in ["", "?q=reserver", "?tag=avr:bot"] {
            #expect(try await total(eta, "/api/users" + path).total == Int64(left), "\(path)")
        }
        try await database.write { (transaction) throws(APIError) in
            _ = try transaction.run(Self.untagAll, "avr:bot")
        }
        #expect(try await total(eta, "/api/users?tag=avr:bot").total == 0)
    }
}
