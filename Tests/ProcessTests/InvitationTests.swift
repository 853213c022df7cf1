import API
import Base
import Domain
import HTTP
import Support
import Testing

/// Asking to enter, being let in, being invited.
@Suite struct InvitationTests {
    private func apply(
        _ user: TestUser, _ room: String, _ other: TestUser? = nil, _ method: Method = .post
    ) async throws -> Answer {
        let body: JSONValue = other.map { ["user": .string($0.reference)] } ?? [:]
        return try await user.client.send(method, "/api/instances/\(room)/candidate", body)
    }

    private func befriend(_ a: TestUser, _ b: TestUser) async throws {
        try await a.client.data(.put, "/api/users/@me/following/\(b.id)")
        try await b.client.data(.put, "/api/users/@me/following/\(a.id)")
    }

    private func code(_ socket: TestSocket, joining room: String) async throws -> Int? {
        try await socket.refusal("instance-join", ["instance": .string(room)])
    }

    @Test func `who asks to enter is let in or refused by who may`() async throws {
        let node = try await Shared.plain.get()
        let (owner, moderator) = (try await node.user(), try await node.user())
        let (ada, ben) = (try await node.user(), try await node.user())
        try await befriend(owner, ada)
        try await befriend(owner, ben)
        let room = try await owner.instance(["avr:invite_only"], moderators: [moderator])
        let (host, guest) = (try await owner.socket(), try await ada.socket())
        #expect(try await code(guest, joining: room) == 49)
        let asked = try await apply(ada, room)
        #expect(asked.status == 200 && asked.data?["state"] == "asked", "\(asked)")
        #expect(try await apply(ada, room).data == asked.data)
        let told = try await host.event("instance-candidate")
        #expect(
            told["data"] == [
                "instance": .string(room), "user": .string(ada.reference),
                "by": .string(ada.reference), "action": "asked",
            ], "\(told)")
        try await guest.event("instance-candidate")
        #expect(try await code(guest, joining: room) == 49)

        // Who is no staff sees no list, who has asked the queue.
        let path = "/api/instances/\(room)/candidate"
        let list = try await moderator.client.data(.get, path)
        #expect(list["total"] == 1 && list["items"]?[0]?["user"] == .string(ada.reference))
        #expect(try await ada.client.data(.get, path)["length"] == 0)
        #expect(try await ben.client.send(.get, path).code == 4)
        #expect(try await node.user().client.send(.get, path).code == 36)
        #expect(try await apply(ben, room, ada).code == 4)
        #expect(try await apply(ben, room, ada, .delete).code == 4)

        let admitted = try await apply(moderator, room, ada)
        #expect(admitted.data?["state"] == "admitted", "\(admitted)")
        #expect(admitted.data?["by"] == .string(moderator.reference), "\(admitted)")
        let news = try await guest.event("instance-candidate")
        #expect(news["data"]?["action"] == "admitted", "\(news)")
        try await guest.join(room)

        let other = try await ben.socket()
        #expect(try await apply(ben, room).data?["state"] == "asked")
        let refused = try await apply(owner, room, ben, .delete)
        #expect(refused.status == 200 && refused.data == [:], "\(refused)")
        try await other.event("instance-candidate") { $0["data"]?["action"] == "refused" }
        #expect(try await apply(owner, room, ben, .delete).code == 17)
        #expect(try await code(other, joining: room) == 49)
        // One's own request is taken back as often as one likes.
        #expect(try await apply(ben, room).data?["state"] == "asked")
        for _ in 0..<2 { #expect(try await apply(ben, room, nil, .delete).status == 200) }
        #expect(try await owner.client.data(.get, path)["total"] == 1)
    }

    @Test func `an invitation opens what one could not see`() async throws {
        let node = try await Shared.plain.get()
        let (owner, ada, ben) = (
            try await node.user(), try await node.user(), try await node.user()
        )
        let cleo = try await node.user()
        let room = try await owner.instance(["avr:invite_only"])
        let (guest, late) = (try await ada.socket(), try await ben.socket())
        #expect(try await code(guest, joining: room) == 36)
        #expect(try await apply(ada, room).code == 36)
        let host = try await owner.socket()
        #expect(
            try await host.command(
                "instance-invite",
                ["instance": .string(room), "user": .string(ada.reference)]) == [:])
        let told = try await guest.event("instance-candidate")
        #expect(told["data"]?["action"] == "invited", "\(told)")
        #expect(try await ada.client.data(.get, "/api/instances/\(room)")["id"] == .string(room))
        let seen = try await ada.client.data(.get, "/api/instances?owner=\(owner.reference)")
        #expect(seen["total"] == 1, "\(seen)")
        #expect(
            try await ben.client.data(.get, "/api/instances?owner=\(owner.reference)")["total"]
                == 0)
        try await guest.join(room)
        // Members invite only where the access has a plus; there is a master, who is not she.
        try await host.join(room)
        #expect(
            try await guest.refusal(
                "instance-invite", ["user": .string(ben.reference)], subgroup: room) == 4)
        #expect(try await code(late, joining: room) == 36)
        try await owner.change("/api/instances/\(room)", ["tags": ["avr:invite_plus"]])
        try await guest.command(
            "instance-invite", ["user": .string(ben.reference)], subgroup: room)
        try await late.join(room)
        #expect(try await code(try await cleo.socket(), joining: room) == 36)
        // The master may, whatever they are otherwise.
        try await owner.change("/api/instances/\(room)", ["tags": ["avr:invite_only"]])
        try await host.command("instance-leave", ["instance": .string(room)])
        try await guest.command(
            "instance-invite", ["user": .string(cleo.reference)], subgroup: room)
        #expect(
            try await late.refusal(
                "instance-invite", ["user": .string(cleo.reference)], subgroup: room) == 4)
        for (user, code) in [(EndpointFacts.unknown("u"), 17), ("nobody at all", 17)] {
            #expect(
                try await host.refusal(
                    "instance-invite", ["instance": .string(room), "user": .string(user)]) == code)
        }
        // A private one opens to nobody.
        try await owner.change("/api/instances/\(room)", ["tags": ["avr:private"]])
        try await guest.command("instance-leave", ["instance": .string(room)])
        #expect(try await code(guest, joining: room) == 36)
    }
}
