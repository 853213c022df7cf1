import Base
import Domain
import Testing

// An id has one spelling: what is read prints as itself, and every other text is refused.
struct IDTests {
    static let sample = "u_01890a5d-ac96-774b-bcce-b302099a8057"

    @Test func `what is made prints and reads as itself`() throws {
        let random = SeededRandom(seed: 1)
        let clock = ManualClock()
        for _ in 0..<2000 {
            clock.advance(by: .milliseconds(1))
            let id = WorldID.make(clock: clock, random: random)
            #expect(WorldID(id.text) == id)
            #expect(WorldID(bytes: id.bytes) == id)
            #expect(id.bytes.count == 16)
            #expect(id.description == id.text)
        }
    }

    @Test func `any 16 bytes are an id, and no other number of them`() {
        let random = SeededRandom(seed: 2)
        for _ in 0..<2000 {
            let bytes = random.bytes(16)
            #expect(UserID(bytes: bytes)?.bytes == bytes)
            #expect(UserID(bytes: bytes).flatMap { UserID($0.text) }?.bytes == bytes)
        }
        #expect(UserID(bytes: []) == nil)
        #expect(UserID(bytes: [UInt8](repeating: 0, count: 17)) == nil)
    }

    @Test func `a new id is of version 7 and sorts by its time`() throws {
        let random = SeededRandom(seed: 3)
        let early = UserID.make(at: Timestamp(milliseconds: 0x0189_0A5D_AC96), random: random)
        let late = UserID.make(at: Timestamp(milliseconds: 0x0189_0A5D_AC97), random: random)
        #expect(early.text.hasPrefix("u_01890a5d-ac96-7"))
        #expect(early.bytes[6] >> 4 == 7)
        #expect(early.bytes[8] >> 6 == 0b10)
        #expect(early < late)
    }

    @Test func `new ids differ though their time is the same`() {
        let clock = ManualClock()
        let random = SeededRandom(seed: 4)
        let ids = Set((0..<2000).map { _ in PlayerID.make(clock: clock, random: random) })
        #expect(ids.count == 2000)
    }

    @Test func `each kind has its letter`() {
        let texts = [
            UserID.sample.text, WorldID.sample.text, AssetID.sample.text, InstanceID.sample.text,
            PlayerID.sample.text, SessionID.sample.text, ChallengeID.sample.text,
            IntegrityID.sample.text, NodeID.sample.text,
        ]
        #expect(
            texts.map { String($0.prefix(2)) } == [
                "u_", "w_", "f_", "i_", "p_", "s_", "c_", "t_", "n_",
            ])
    }

    @Test(arguments: [
        "", "u", "u_", "w_01890a5d-ac96-774b-bcce-b302099a8057",
        "u-01890a5d-ac96-774b-bcce-b302099a8057", "u_01890A5D-ac96-774b-bcce-b302099a8057",
        "U_01890a5d-ac96-774b-bcce-b302099a8057", "u_01890a5dac96774bbcceb302099a8057",
        "u_{01890a5d-ac96-774b-bcce-b302099a805}", "u_01890a5d-ac96-774b-bcce-b302099a805g",
        "u_01890a5d-ac96-774b-bcce-b302099a805", "u_01890a5d-ac96-774b-bcce-b302099a80577",
        "u_01890a5d-ac96-774b-bcceb-302099a8057", " u_01890a5d-ac96-774b-bcce-b302099a805",
        "u_01890a5d-ac96-774b-bcce-b302099a80é", "01890a5d-ac96-774b-bcce-b302099a8057",
        "u_01890a5d-ac96-774b-bcce-b302099a805\0",
    ])
    func `another spelling is refused`(_ text: String) {
        #expect(UserID(text) == nil)
    }

    @Test func `a change of any byte is another id or none`() {
        // The property behind "one spelling": no two texts name the same user.
        let random = SeededRandom(seed: 5)
        let bytes = Array(Self.sample.utf8)
        for _ in 0..<4000 {
            var changed = bytes
            changed[random.next(below: bytes.count)] = UInt8(random.next(below: 128))
            let text = String(decoding: changed, as: UTF8.self)
            if let id = UserID(text) { #expect(id.text == text) }
        }
    }

    @Test func `it is a string in JSON, and a bad one is told what it must be`() throws {
        struct Body: Codable { let user: UserID }
        let value: JSONValue = ["user": .string(Self.sample)]
        let body = try JSONCoder.decode(Body.self, from: value)
        #expect(body.user.text == Self.sample)
        #expect(JSONCoder.value(body) == value)
        let error = #expect(throws: InvalidFields.self) {
            try JSONCoder.decode(Body.self, from: ["user": "me"])
        }
        #expect(
            error?.problems == [
                FieldProblem(
                    field: "user",
                    message: "must be the id of a user: u_ and a UUID in lower case")
            ])
    }
}
