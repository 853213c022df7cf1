import API
import Base
import Domain
import Testing

@testable import Ins

/// Protects: the rules of a room. What its members are told is what happened, in that order.
struct InstanceMachineTests {
    private let random = SeededRandom(seed: 11)
    private let clock = ManualClock()

    private func player(_ role: PlayerRole = .normal, user: UserID? = nil) -> Player {
        let id = user ?? UserID.make(clock: clock, random: random)
        return Player(
            id: PlayerID.make(clock: clock, random: random), user: reference(id),
            displayname: .sample, role: role, joinedAt: clock.timestamp())
    }

    private func reference(_ user: UserID) -> UserReference {
        UserReference(user, at: .sample)
    }

    private func hosting(owner: UserID? = nil) -> Hosting {
        let owner = owner ?? UserID.make(clock: clock, random: random)
        return Hosting(
            instance: InstanceID.make(clock: clock, random: random), epoch: 1, ins: "local",
            world: WorldReference(
                WorldID.make(clock: clock, random: random), at: .sample),
            owner: reference(owner), capacity: 32)
    }

    /// What one member hears of a batch, as parsed events.
    private func heard(_ frame: [UInt8], by player: PlayerID) throws -> [JSONValue] {
        let batch = try RoomBatch(reading: frame)
        var events: [JSONValue] = []
        for segment in batch.segments {
            switch segment.audience {
            case .others where segment.sender == player: continue
            case .others: break
            case .players(let players): if !players.contains(player) { continue }
            }
            var rest = batch.bytes[segment.range]
            while let first = rest.dropFirst().first {
                #expect(rest.first == 0x81)
                let (start, length) =
                    first < 126
                    ? (2, Int(first))
                    : (4, Int(rest[rest.startIndex + 2]) << 8 | Int(rest[rest.startIndex + 3]))
                let payload = rest.dropFirst(start).prefix(length)
                events.append(try JSONParser.parse(payload))
                rest = rest.dropFirst(start + length)
            }
        }
        return events
    }

    private func expectMaster(
        _ master: PlayerID?, _ expected: PlayerID,
        _ location: SourceLocation = #_sourceLocation
    ) {
        #expect(master == expected, sourceLocation: location)
    }

    private func transform(_ x: Double, at: Int64, path: String = "p:@me/body") -> JSONValue {
        [
            "path": .string(path), "p": .array([.double(x), .double(0), .double(0)]),
            "at": .integer(at),
        ]
    }

    @Test func `the owner is master while present, else the longest present who is no bot`() {
        let owner = UserID.make(clock: clock, random: random)
        var room = InstanceMachine(hosting(owner: owner))
        let (bot, first, second, own) = (
            player(.bot), player(), player(), player(.owner, user: owner)
        )
        _ = room.enter(bot)
        expectMaster(room.master, bot.id)
        _ = room.enter(first)
        expectMaster(room.master, first.id)
        _ = room.enter(second)
        _ = room.enter(own)
        expectMaster(room.master, own.id)
        room.leave(own.id, .disconnected)
        room.leave(first.id, .disconnected)
        expectMaster(room.master, second.id)
    }

    @Test func `transforms between two ticks are conflated and own ones are not heard`() throws {
        var room = InstanceMachine(hosting())
        let (a, b) = (player(), player())
        _ = room.enter(a)
        _ = room.enter(b)
        _ = room.takeBatch()
        let now = clock.timestamp()
        for step in 1...5 {
            room.transform(
                transform(Double(step), at: now.milliseconds + Int64(step)), from: a.id, now: now)
        }
        let frame = room.takeBatch()
        #expect(try heard(frame, by: a.id).isEmpty)
        let events = try heard(frame, by: b.id)
        #expect(events.count == 1)
        #expect(events[0]["data"]?["p"]?[0]?.doubleValue == 5)
        #expect(events[0]["data"]?["path"]?.stringValue == "p:\(a.id.text)/body")
        let isSaid = room.hasOutput
        #expect(!isSaid)
    }

    @Test func `what is old, unchanged, foreign, too far or from the future is dropped`() {
        var room = InstanceMachine(hosting())
        let (a, b) = (player(), player())
        _ = room.enter(a)
        _ = room.enter(b)
        let now = clock.timestamp()
        let at = now.milliseconds
        room.transform(transform(1, at: at), from: a.id, now: now)
        _ = room.takeBatch()
        room.transform(transform(2, at: at - 1), from: a.id, now: now)
        room.transform(transform(1, at: at + 1), from: a.id, now: now)
        room.transform(transform(2, at: at + 2, path: "p:\(b.id.text)/body"), from: a.id, now: now)
        room.transform(transform(1e7, at: at + 3), from: a.id, now: now)
        room.transform(transform(3, at: at + 11_000), from: a.id, now: now)
        room.transform(transform(3, at: at + 4, path: "o:door/body"), from: b.id, now: now)
        room.transform(transform(3, at: at + 4, path: "p:@me/"), from: a.id, now: now)
        room.transform(["path": "p:@me/body", "p": [1, 2]], from: a.id, now: now)
        let isSaid = room.hasOutput
        #expect(!isSaid)
    }

    @Test func `one who comes late is shown the newest, and only what others say afterwards`()
        throws
    {
        var room = InstanceMachine(hosting())
        let (a, b) = (player(), player())
        _ = room.enter(a)
        let now = clock.timestamp()
        room.transform(transform(7, at: now.milliseconds), from: a.id, now: now)
        _ = room.takeBatch()
        let snapshot = room.enter(b)
        #expect(snapshot.players.map(\.id) == [a.id, b.id])
        #expect(snapshot.transforms.map(\.p) == [[7, 0, 0]])
        let frame = room.takeBatch()
        #expect(try heard(frame, by: b.id).isEmpty)
        let told = try heard(frame, by: a.id)
        #expect(told.map { $0["command"]?.stringValue } == ["instance-joined"])
    }

    @Test func `those who come back together are shown each other, and told to the others`() throws
    {
        var room = InstanceMachine(hosting())
        let (a, b, c) = (player(), player(), player())
        let fresh = room.resume([a, b])
        let isSaid = room.hasOutput
        #expect(fresh.players.map(\.id) == [a.id, b.id] && fresh.player == nil && !isSaid)
        _ = room.enter(c)
        _ = room.takeBatch()
        let again = room.resume([a, b])
        let isSaidAgain = room.hasOutput
        #expect(again.players.map(\.id) == [a.id, b.id, c.id] && !isSaidAgain)
        room.leave(a.id, .disconnected)
        room.leave(b.id, .disconnected)
        _ = room.takeBatch()
        _ = room.resume([a, b])
        let frame = room.takeBatch()
        #expect(try heard(frame, by: a.id).isEmpty && heard(frame, by: b.id).isEmpty)
        let joined = try heard(frame, by: c.id).map { $0["data"]?["player"]?["id"]?.stringValue }
        #expect(joined == [a.id.text, b.id.text])
    }

    @Test func `an object that a leaving master moved is told of, and goes on being moved`() throws
    {
        let owner = UserID.make(clock: clock, random: random)
        var room = InstanceMachine(hosting(owner: owner))
        let (master, other, third) = (player(.owner, user: owner), player(), player())
        for one in [master, other, third] { _ = room.enter(one) }
        _ = room.takeBatch()
        let now = clock.timestamp()
        let at = now.milliseconds
        room.transform(transform(1, at: at, path: "o:door/body"), from: master.id, now: now)
        room.leave(master.id, .disconnected)
        let first = try heard(room.takeBatch(), by: third.id)
        #expect(first.contains { $0["data"]?["path"]?.stringValue == "o:door/body" })
        expectMaster(room.master, other.id)
        room.transform(transform(2, at: at + 1, path: "o:door/body"), from: other.id, now: now)
        let second = try heard(room.takeBatch(), by: third.id)
        #expect(second.map { $0["data"]?["p"]?[0]?.doubleValue } == [2])
    }

    @Test func `data goes to those named, else to all others, in order`() throws {
        var room = InstanceMachine(hosting())
        let (a, b, c) = (player(), player(), player())
        for one in [a, b, c] { _ = room.enter(one) }
        _ = room.takeBatch()
        room.data(["data": ["n": 1]], from: a.id)
        room.data(
            ["data": 2, "to": .array([.string(c.id.text), .string("p_none")])], from: a.id)
        room.data(["data": 3, "to": []], from: a.id)
        room.data(["data": 4], from: b.id)
        let frame = room.takeBatch()
        func contents(_ player: PlayerID) throws -> [JSONValue?] {
            try heard(frame, by: player).map { $0["data"]?["data"] }
        }
        #expect(try contents(a.id) == [4])
        #expect(try contents(b.id) == [["n": 1]])
        #expect(try contents(c.id) == [["n": 1], 2, 4])
        let numbers = try heard(frame, by: c.id).compactMap { $0["seq"]?.integerValue }
        #expect(numbers == numbers.sorted())
    }

    /// Against the simplest model: a list of who is in, and what each of them last heard of.
    @Test(arguments: 1...20)
    func `a random walk tells everybody what a simple model says`(seed: Int) throws {
        let random = SeededRandom(seed: UInt64(seed))
        var room = InstanceMachine(hosting())
        var present: [Player] = []
        var roster: [PlayerID: Set<PlayerID>] = [:]
        for _ in 0..<500 {
            switch random.next(below: 3) {
            case 0 where present.count < 8:
                let one = player()
                let snapshot = room.enter(one)
                present.append(one)
                roster[one.id] = Set(snapshot.players.map(\.id))
            case 1 where !present.isEmpty:
                let index = random.next(below: present.count)
                let gone = present.remove(at: index)
                room.leave(gone.id, .disconnected)
                roster[gone.id] = nil
            case _: break
            }
            let frame = room.takeBatch()
            for one in present {
                for event in try heard(frame, by: one.id) {
                    let data = event["data"]
                    switch event["command"]?.stringValue {
                    case "instance-joined":
                        let id = data?["player"]?["id"]?.stringValue.flatMap(PlayerID.init)
                        if let id { roster[one.id]?.insert(id) }
                    case "instance-left":
                        let id = data?["player"]?.stringValue.flatMap(PlayerID.init)
                        if let id { roster[one.id]?.remove(id) }
                    case _: Issue.record("unexpected \(event)")
                    }
                }
                #expect(roster[one.id] == Set(present.map(\.id)))
            }
        }
        let players = room.players
        #expect(players.map(\.id) == present.map(\.id))
    }
}

extension InstanceMachine {
    /// A member's words as Reil passes them on.
    fileprivate mutating func data(_ value: JSONValue, from player: PlayerID) {
        let frame = JSONCoder.encode(value)
        data(frame, in: frame.indices, from: player)
    }
}

extension InstanceMachine {
    fileprivate mutating func transform(_ data: JSONValue, from player: PlayerID, now: Timestamp) {
        // Not at the beginning of the frame, as it never is.
        let frame = [UInt8](repeating: 0, count: 7) + JSONCoder.encode(data)
        transform(frame, in: 7..<frame.count, from: player, now: now)
    }
}
