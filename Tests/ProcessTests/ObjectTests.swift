import API
import Base
import Domain
import HTTP
import Support
import Testing

/// Objects of a room: who holds one, what is said of it, and what becomes of it when they leave.
@Suite struct ObjectTests {
    private func order(
        _ room: String, _ action: String, _ object: String = "ball", _ more: JSONObject = [:]
    ) -> JSONValue {
        var data = more
        data["instance"] = .string(room)
        data["object"] = .string(object)
        data["action"] = .string(action)
        return .object(data)
    }

    @Test func `an object is held by one, who alone says what it is`() async throws {
        let node = try await Shared.plain.get()
        let owner = try await node.user()
        let room = try await owner.instance()
        let (host, guest) = (try await owner.socket(), try await node.user().socket())
        let master = try await host.join(room)
        let player = try await guest.join(room)

        let taken = try await guest.command("instance-object", order(room, "acquire"))
        #expect(taken == ["object": "ball", "holder": .string(player), "version": 1], "\(taken)")
        let told = try await host.event("instance-object")
        #expect(told["data"]?["holder"] == .string(player), "\(told)")
        #expect(told["seq"]?.integerValue != nil && told["subgroup"] == .string(room), "\(told)")
        for action in ["acquire", "release", "set", "delete"] {
            #expect(
                try await host.refusal("instance-object", order(room, action)) == 4, "\(action)")
        }
        let words: JSONValue = ["colour": "red", "bounces": [1, 2.5, nil]]
        let set = try await guest.command(
            "instance-object", order(room, "set", "ball", ["data": words]))
        #expect(set["version"] == 2, "\(set)")
        try await host.event("instance-object") {
            $0["data"]?["data"] == words && $0["data"]?["version"] == 2
        }
        // Who comes later finds it as it is.
        let late = try await node.user().socket()
        let snapshot = try await late.command("instance-join", ["instance": .string(room)])
        #expect(
            snapshot["objects"] == [
                ["object": "ball", "holder": .string(player), "version": 2, "data": words]
            ], "\(snapshot["objects"] ?? .null)")

        // Its holder moves it, the master as ever, nobody else.
        let time = try await host.command("ping")["server"] ?? .null
        func move(_ socket: TestSocket, _ x: Int64) {
            socket.post(
                "instance-transform",
                [
                    "instance": .string(room), "path": "o:ball/body", "p": [.integer(x), 0, 0],
                    "at": time,
                ])
        }
        move(late, 1)
        try await late.command("instance-data", ["instance": .string(room), "data": "done"])
        try await guest.event("instance-data") { $0["data"]?["data"] == "done" }
        move(guest, 2)
        let moved = try await host.event("instance-transform")
        #expect(moved["data"]?["p"]?[0] == 2, "\(moved)")
        move(host, 3)
        try await guest.event("instance-transform") { $0["data"]?["p"]?[0] == 3 }

        // Who leaves lets go; then it is anybody's.
        try await guest.command("instance-leave", ["instance": .string(room)])
        try await host.event("instance-object") {
            $0["data"]?["holder"] == .null && $0["data"]?["data"] == words
        }
        let again = try await host.command("instance-object", order(room, "acquire"))
        #expect(again["holder"] == .string(master), "\(again)")
        let deleted = try await host.command("instance-object", order(room, "delete"))
        #expect(deleted["holder"] == .null, "\(deleted)")
        let fresh = try await host.command("instance-object", order(room, "acquire"))
        #expect(fresh["version"] == 1, "\(fresh)")
        #expect(
            try await host.command("instance-object", order(room, "release"))["holder"] == .null)
    }

    @Test func `what is no object is refused`() async throws {
        let node = try await Shared.plain.get()
        let owner = try await node.user()
        let room = try await owner.instance()
        let host = try await owner.socket()
        #expect(try await host.refusal("instance-object", order(room, "acquire")) == 39)
        try await host.join(room)
        for name in ["", "a b", "ü", String(repeating: "x", count: 65)] {
            let code = try await host.refusal("instance-object", order(room, "acquire", name))
            #expect(code == 33, "\(name)")
        }
        #expect(try await host.refusal("instance-object", order(room, "juggle")) == 33)
        #expect(
            try await host.refusal("instance-object", ["instance": .string(room)]) == 33)
        #expect(try await host.refusal("instance-object", order(room, "set")) == 4)
        try await host.command("instance-object", order(room, "acquire"))
        let large = JSONValue.string(String(repeating: "x", count: 8_190))
        try await host.command("instance-object", order(room, "set", "ball", ["data": large]))
        let larger = JSONValue.string(String(repeating: "x", count: 8_191))
        #expect(
            try await host.refusal(
                "instance-object", order(room, "set", "ball", ["data": larger])) == 52)
        // By the subgroup, too.
        let named = try await host.command(
            "instance-object", ["object": "ball", "action": "release"], subgroup: room)
        #expect(named["holder"] == .null, "\(named)")
    }
}
