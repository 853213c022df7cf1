import API
import Base
import Domain
import HTTP
import Testing

@testable import Reil

/// Protects: a socket ends with what it rests on, and with nothing else.
struct IdentityTests {
    private let random = SeededRandom(seed: 9)
    private let clock = ManualClock()
    private let counts = SocketCounts(perAddress: 2, perPerson: 1_000)

    private func id<Kind: IDKind>() -> ID<Kind> { .make(clock: clock, random: random) }

    private func identity(_ caller: Caller) throws -> Identity {
        let home = try #require(ServerAddress("home.example"))
        let person = try #require(Person(caller))
        return Identity(
            caller: caller, person: person, reference: try #require(caller.reference(home: home)),
            expiresAt: nil, place: try #require(counts.enter(.person(person))))
    }

    @Test func `a user's socket ends with the session, all sessions, or the user`() throws {
        let (user, session): (UserID, SessionID) = (id(), id())
        let identity = try identity(
            .user(UserCaller(id: user, session: session, tags: [])))
        #expect(identity.end(by: .session(session, of: user)) == .unauthenticated)
        #expect(identity.end(by: .sessions(of: user, except: nil)) == .unauthenticated)
        #expect(identity.end(by: .sessions(of: user, except: id())) == .unauthenticated)
        #expect(identity.end(by: .user(user)) == .denied)
        for other: Revocation in [
            .session(id(), of: user), .sessions(of: user, except: session),
            .sessions(of: id(), except: nil),
            .user(id()), .generation(session, of: user, 9), .rights(of: user), .integrity(id()),
            .ins("x"),
            .server(try #require(ServerAddress("home.example"))),
        ] {
            #expect(identity.end(by: other) == nil)
        }
    }

    @Test func `a visitor's socket ends with the grant`() throws {
        let grant: IntegrityID = id()
        let server = try #require(ServerAddress("abroad.example"))
        let identity = try identity(
            .visitor(
                VisitorCaller(user: UserReference(id(), at: server), integrity: grant)))
        #expect(identity.end(by: .integrity(grant)) == .unauthenticated)
        #expect(identity.end(by: .integrity(id())) == nil)
        // A node's own token is made anew again and again; its users stay.
        #expect(identity.end(by: .server(server)) == nil)
    }

    @Test func `places are counted, and given back`() throws {
        let address = try #require(IPAddress("192.0.2.1"))
        var first = counts.enter(.address(address))
        let second = counts.enter(.address(address))
        #expect(first != nil && second != nil)
        #expect(counts.enter(.address(address)) == nil)
        #expect(counts.enter(.address(try #require(IPAddress("192.0.2.2")))) != nil)
        first = nil
        #expect(first == nil && counts.enter(.address(address)) != nil)
    }
}
