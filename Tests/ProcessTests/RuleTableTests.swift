import API
import Base
import HTTP
import Net
import Support
import Testing

/// Rules and suspensions as tables, and rules from the command line.
@Suite struct RuleTableTests {
    private func bring(
        _ table: String, _ path: String, _ administrator: TestUser
    ) async throws -> Answer {
        try await administrator.client.send(
            .put, "/api/moderation/\(path)", bytes: .bytes(Array(table.utf8)),
            fields: [("Content-Type", "text/csv")])
    }

    private func take(_ path: String, _ administrator: TestUser) async throws -> Answer {
        try await administrator.client.send(
            .get, "/api/moderation/\(path)", fields: [("Accept", "text/csv")])
    }

    @Test func `lists are brought and taken along as tables`() async throws {
        let node = try await TestNode.start()
        let administrator = try await node.administrator()
        let ada = try await node.user()
        // As operators of other federations write it: a mark before the names, columns of their own.
        let servers = try await bring(
            "#address,severity,action,reason\r\n"
                + "bad.example,suspend,deny,\"spam, and \"\"worse\"\"\"\r\n*.worse.example,x,limit,\r\n",
            "servers", administrator)
        #expect(servers.status == 201 && servers.data?["imported"] == 2, "\(servers)")
        let out = try await take("servers", administrator)
        #expect(out["Content-Type"]?.hasPrefix("text/csv") == true, "\(out)")
        let text = String(decoding: out.body, as: UTF8.self)
        #expect(
            text == "address,action,reason,until\r\n*.worse.example,limit,,\r\n"
                + "bad.example,deny,\"spam, and \"\"worse\"\"\",\r\n")
        // What was taken along is brought as it is.
        #expect(try await bring(text, "servers", administrator).data?["imported"] == 2)
        let users = try await bring(
            "user,reason,until\n\(ada.id),bad,\nu_01890a5d-ac96-774b-bcce-b302099a8057@far.example,,",
            "users", administrator)
        #expect(users.status == 201 && users.data?["imported"] == 2, "\(users)")
        #expect(try await ada.client.send(.get, "/api/users/@me").code == 3)
        let suspended = try await take("users", administrator)
        #expect(
            String(decoding: suspended.body, as: UTF8.self).contains("\(ada.reference),bad,\r\n"))
        let clients = try await bring(
            "cidr,agent\n192.0.2.0/24,\n,EvilBot\n", "clients", administrator)
        #expect(clients.data?["imported"] == 2, "\(clients)")
        let denied = try await take("clients", administrator)
        #expect(
            String(decoding: denied.body, as: UTF8.self)
                == "cidr,agent,reason,until\r\n,evilbot,,\r\n192.0.2.0/24,,,\r\n")
        #expect(try await ada.client.with(token: nil).send(.get, "/api/moderation/users").code == 3)
    }

    @Test(arguments: [
        ("servers", "", 29, "1"), ("servers", "address,action\nx y,deny\n", 29, "2.address"),
        ("servers", "address,action\na.example,deny\nb.example,ban\n", 29, "3.action"),
        ("servers", "address\na.example\n", 29, "2.action"),
        ("servers", "address,action\na.example\n", 29, "2"),
        ("servers", "address,address\na,b\n", 29, "1"),
        ("servers", "address,action\n\"a", 29, "2"), ("users", "user\nnobody\n", 14, "2.user"),
        ("users", "user,until\nu_01890a5d-ac96-774b-bcce-b302099a8057@a.b,1\n", 14, "2.until"),
        ("clients", "cidr\n127.0.0.0/8\n", 14, "cidr"),
        ("clients", "cidr,agent\n192.0.2.0/24,abc\n", 14, "cidr"),
    ]) func `a table with a fault changes nothing`(
        path: String, table: String, code: Int, field: String
    ) async throws {
        let node = try await Shared.plain.get()
        let administrator = try await node.administrator()
        let before = try await take(path, administrator).body
        let answer = try await bring(table, path, administrator)
        #expect(answer.code == code && answer.problems == [field], "\(answer)")
        #expect(try await take(path, administrator).body == before)
    }

    private func reil(
        _ node: TestNode, _ words: String...
    ) async throws -> (Int32, String, String) { try await reil(node, words) }

    private func reil(
        _ node: TestNode, _ words: [String]
    ) async throws -> (Int32, String, String) {
        let settings = node.settings("reil").filter { ["reil.eta", "cluster.key"].contains($0.0) }
        let process = try await TestProcess.start(
            Executables.path("reil"), words + TestNode.flags(settings),
            name: "command-\(SystemRandom().next())", in: node.folder.path)
        guard case .code(let code) = try await process.exit() else { throw GaveUp("a signal") }
        return (code, process.output, process.log)
    }

    @Test func `the operator rules over nodes from the command line`() async throws {
        let (node, other) = (try await TestNode.start(), try await Shared.other.get())
        let ben = try await other.user()
        let visitor = try await ben.visiting(node)
        let blocked = try await reil(node, "block", other.address, "--reason", "spam")
        #expect(blocked.0 == 0 && blocked.1.contains("\(other.address): deny"), "\(blocked)")
        #expect([3, 57].contains(try await visitor.send(.get, "/api/integrity").code))
        #expect(try await reil(node, "block", "*.example.org", "--action", "limit").0 == 0)
        let list = try await reil(node, "rules", "--json")
        let rules = try JSONParser.parse(Array(list.1.utf8))["rules"]
        #expect(rules?.arrayValue?.count == 2, "\(list)")
        #expect(rules?[1]?["by"] == .null && rules?[1]?["reason"] == "spam", "\(list)")
        let shown = try await reil(node, "rules")
        #expect(shown.1.contains("limit\t*.example.org"), "\(shown)")
        let log = try await node.administrator().client.data(
            .get, "/api/moderation/log?q=rule-nodes&limit=1")
        #expect(log["items"]?[0]?["subject"] == "*.example.org", "\(log)")
        #expect(try await reil(node, "unblock", other.address).0 == 0)
        #expect(try await ben.visiting(node).send(.get, "/api/integrity").status == 200)
        let missing = try await reil(node, "unblock", other.address)
        #expect(missing.0 == 1 && missing.2.contains("there is no such rule"), "\(missing)")
        for words in [["block", "no rule"], ["block", "a.example", "--action", "ban"]] {
            let refused = try await reil(node, words)
            #expect(refused.0 == 2, "\(words): \(refused)")
        }
        node.process("eta").kill()
        let away = try await reil(node, "rules")
        #expect(away.0 == 1 && away.2.contains("does not answer"), "\(away)")
        try await node.start("eta")
        try await node.healthy()
    }
}
