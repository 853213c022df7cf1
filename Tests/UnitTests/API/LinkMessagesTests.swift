import API
import Base
import Domain
import Testing

/// Protects: what the roles of a node tell each other survives the way through JSON.
struct LinkMessagesTests {
    private func through<Message: Codable>(_ message: Message) throws -> Message {
        try JSONCoder.decode(
            Message.self, from: try JSONParser.parse(JSONCoder.encode(message)))
    }

    @Test func `pushes with and without labels come out as they went in`() throws {
        let instance = InstanceID.make(clock: ManualClock(), random: SeededRandom(seed: 1))
        let player = PlayerID.make(clock: ManualClock(), random: SeededRandom(seed: 2))
        let dismissed = try through(
            RegistryPush.dismissed(instance: instance, player: player, type: .closed))
        guard case .dismissed(instance, player, .closed) = dismissed else {
            Issue.record("got \(dismissed)")
            return
        }
        let session = SessionID.make(clock: ManualClock(), random: SeededRandom(seed: 3))
        let revoked = try through(RegistryPush.revoke(.generation(session, of: .sample, 2)))
        guard case .revoke(.generation(session, of: .sample, 2)) = revoked else {
            Issue.record("got \(revoked)")
            return
        }
        guard
            case .changed(.userDeleted(.sample)) =
                try through(RegistryPush.changed(.userDeleted(.sample)))
        else {
            Issue.record("a change was lost")
            return
        }
    }

    @Test func `a user is shown as much as there is to see`() throws {
        let view = try through(UserView.sample)
        guard case .user(let user) = view else {
            Issue.record("got \(view)")
            return
        }
        #expect(user.username == .sample)
    }
}
