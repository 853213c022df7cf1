import API
import Base
import HTTP
import Support
import Testing

/// What users report, and what becomes of it.
@Suite struct ReportTests {
    private static let path = "/api/moderation/reports"

    @Test func `a report comes to the administrators and is dealt with`() async throws {
        let node = try await TestNode.start()
        let (administrator, ada, ben) = (
            try await node.administrator(), try await node.user(), try await node.user()
        )
        let world = try await ben.world()
        for about in [ben.id, "\(world)@\(node.address)", node.address] {
            let made = try await ada.client.send(
                .put, Self.path, ["about": .string(about), "reason": "Not nice"])
            #expect(made.status == 201 && made.data?["state"] == "open", "\(made)")
            #expect(made.data?["by"] == .string(ada.reference), "\(made)")
        }
        let list = try await administrator.client.data(.get, "\(Self.path)?limit=2")
        #expect(list["total"] == 3 && list["items"]?[0]?["about"] == .string(node.address))
        let rest = try await administrator.client.data(
            .get, "\(Self.path)?after=\(list["next"]?.stringValue ?? "")")
        let report = try #require(rest["items"]?[0])
        #expect(report["about"] == .string(ben.reference), "\(report)")
        let id = try #require(report["id"]?.integerValue)
        let taken = try await administrator.client.data(
            .post, "\(Self.path)/\(id)", ["state": "taken", "note": "I ask him"])
        #expect(taken["state"] == "taken" && taken["note"] == "I ask him", "\(taken)")
        let closed = try await administrator.client.data(
            .post, "\(Self.path)/\(id)", ["state": "closed"])
        #expect(closed["note"] == "I ask him", "\(closed)")
        let open = try await administrator.client.data(.get, "\(Self.path)?state=open")
        #expect(open["total"] == 2, "\(open)")
        let found = try await administrator.client.data(.get, "\(Self.path)?q=NICE")
        #expect(found["total"] == 3, "\(found)")
        let log = try await administrator.client.data(.get, "/api/moderation/log?limit=1")
        #expect(log["items"]?[0]?["act"] == "handle-report", "\(log)")
        // Who reports sees none, and no report outlives its own end.
        #expect(try await ada.client.send(.get, Self.path).code == 4)
        for (answer, code) in [
            (
                try await administrator.client.send(.post, "\(Self.path)/999", ["state": "open"]),
                2
            ),
            (
                try await administrator.client.send(.post, "\(Self.path)/x", ["state": "open"]), 2
            ),
            (try await administrator.client.send(.post, "\(Self.path)/\(id)", [:]), 14),
        ] { #expect(answer.code == code, "\(answer)") }
        for (about, field) in [
            ("", "about"), ("nobody_at all", "about"),
            ("u_01890a5d-ac96-774b-bcce-b302099a8057", "about"),
        ] {
            let answer = try await ada.client.send(
                .put, Self.path, ["about": .string(about), "reason": "x"])
            #expect(answer.code == 14 && answer.problems == [field], "\(about): \(answer)")
        }
        #expect(try await node.client.send(.put, Self.path, [:]).code == 3)
    }

    @Test func `a report about another node's goes there without a name where that is wanted`()
        async throws
    {
        let (node, home) = (try await Shared.plain.get(), try await TestNode.start())
        let (ada, ben) = (try await node.user(), try await home.user())
        let there = try await home.administrator()
        try await ada.client.data(
            .put, Self.path, ["about": .string(ben.reference), "reason": "kept here"])
        try await ada.client.data(
            .put, Self.path,
            ["about": .string(ben.reference), "reason": "passed on", "forward": true])
        let told = try await Eventually.get("the report at \(home.address)") { status in
            let list = try await there.client.data(.get, Self.path)
            status.text = "\(list)"
            return list["total"] == 1 ? list["items"]?[0] : nil
        }
        #expect(told["reason"] == "passed on" && told["by"] == .null, "\(told)")
        #expect(told["from"] == .string(node.address), "\(told)")
        #expect(told["about"] == .string(ben.reference), "\(told)")
        #expect(!home.logs.contains(ada.id))
        // A visitor reports where they are.
        let visited = try await ben.visiting(node).send(
            .put, Self.path, ["about": .string(ada.reference), "reason": "rude"])
        #expect(visited.status == 201 && visited.data?["by"] == .string(ben.reference))
    }

    @Test func `where all is full what is closed makes room, and nothing else`() async throws {
        var shape = NodeShape()
        shape.eta = [("moderation.reports", "2")]
        let node = try await TestNode.start(shape)
        let (administrator, ada) = (try await node.administrator(), try await node.user())
        let body: JSONValue = ["about": .string(node.address), "reason": "x"]
        let first = try await ada.client.data(.put, Self.path, body)
        try await ada.client.data(.put, Self.path, body)
        let full = try await ada.client.send(.put, Self.path, body)
        #expect(full.status == 507 && full.code == 68, "\(full)")
        try await administrator.client.data(
            .post, "\(Self.path)/\(first["id"]?.integerValue ?? 0)", ["state": "closed"])
        let third = try await ada.client.data(.put, Self.path, body)
        #expect(third["id"]?.integerValue == 3, "\(third)")
        let list = try await administrator.client.data(.get, Self.path)
        #expect(list["total"] == 2, "\(list)")
    }
}
