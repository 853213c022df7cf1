import API
import Domain
import HTTP
import Support
import Testing

/// Protects: the code has the rows of the contract's tables, no more and no fewer.
struct ContractTests {
    /// As the path is written today.
    private static func spelled(_ path: String) -> String {
        AllEndpoints.aliases.first { $0.template == path }?.original ?? path
    }

    @Test func `every endpoint of the contract is built, for whom it says`()
        throws
    {
        let rows = try ContractTable("endpoints").rows
        let built = Dictionary(
            uniqueKeysWithValues: (AllEndpoints.all + AllEndpoints.ofEveryMethod).map { facts in
                let method = facts.method == .other ? "any" : "\(facts.method.name)"
                return ("\(method) \(facts.template)", facts)
            })
        for row in rows {
            let path = Self.spelled(row["path"] ?? "")
            let name = "\(row["method"] ?? "") \(path)"
            let facts = try #require(built[name], "\(name) is missing")
            #expect(facts.access.word == row["access"], "\(name)")
        }
        let names = Set(rows.map { "\($0["method"] ?? "") \($0["path"] ?? "")" })
        for name in built.keys {
            #expect(names.contains(name), "\(name) is not in the contract")
        }
    }

    /// `http.md` §2: what is dead is refused everywhere but here.
    @Test func `who does not look at a credential is named`() {
        let ignoring = AllEndpoints.all.filter { $0.credentials == .ignored }
            .map { "\($0.method.name) \($0.template)" }
        #expect(
            Set(ignoring) == [
                "POST /api/auth/login", "POST /api/auth/register", "POST /api/auth/refresh",
                "GET /.well-known/avr", "GET /api/health",
            ])
    }

    @Test func `every command has the errors of the contract`() throws {
        let rows = try ContractTable("commands").rows
        #expect(
            Set(rows.compactMap { $0["command"] }) == Set(SocketCommand.allCases.map(\.rawValue)))
        for row in rows {
            let command = try #require(row["command"].flatMap(SocketCommand.init))
            let codes = (row["errors"] ?? "").split(separator: " ").compactMap { UInt16($0) }
            #expect(Set(command.errors.map(\.rawValue)) == Set(codes), "\(command.rawValue)")
        }
    }

    @Test func `every event is in the group of the contract`() throws {
        let rows = try ContractTable("events").rows
        #expect(Set(rows.compactMap { $0["event"] }) == Set(SocketEvent.allCases.map(\.rawValue)))
        for row in rows {
            let event = try #require(row["event"].flatMap(SocketEvent.init))
            #expect(event.group?.rawValue ?? "" == row["group"], "\(event.rawValue)")
            #expect(event.isAlwaysSent == (row["always"] == "always"), "\(event.rawValue)")
        }
    }

    @Test func `a group covers all that is under it and nothing beside`() {
        #expect(SocketEvent.updateUser.isCovered(by: [.update]))
        #expect(SocketEvent.updateUser.isCovered(by: [.all]))
        #expect(!SocketEvent.updateUser.isCovered(by: [.updateWorld, .instance]))
        #expect(!SocketEvent.all.isCovered(by: [.update]))
    }
}
