import API
import Base
import Domain
import HTTP

/// An event for some people, encoded once for all sockets of a Reil.
struct Word: Sendable {
    let people: [Person]
    let event: SocketEvent
    let instance: InstanceID?
    let isUnasked: Bool
    let data: EncodedJSON

    init(_ telling: Telling, home: ServerAddress) {
        people = telling.people.map { Person($0, home: home) }
        event = telling.event
        instance = telling.instance
        isUnasked = telling.isUnasked
        data = EncodedJSON(telling.data)
    }
}

/// What some people are told wherever they are, at whichever of their sockets.
extension SocketLoop {
    /// Tells those of a word's people who have sockets here.
    func tell(_ word: Word) {
        for person in word.people {
            for session in people[person] ?? []
            where word.isUnasked || session.machine.subscriptions.covers(word.event) {
                tell(word.event, of: word.instance, word.data, to: session)
            }
        }
    }

    /// Tells each who waits for an instance where they stand; the next one first.
    func tellQueue(of instance: InstanceID, _ waiting: [Person]) {
        for (index, person) in waiting.enumerated() where people[person] != nil {
            let place = QueueWord(instance: instance, position: index + 1, length: waiting.count)
            let data = EncodedJSON(place)
            for session in people[person] ?? [] {
                tell(.instanceQueue, of: instance, data, to: session)
            }
        }
    }

    private func tell(
        _ event: SocketEvent, of instance: InstanceID?, _ data: EncodedJSON,
        to session: SocketSession
    ) {
        guard let instance else { return self.event(event, data, to: session) }
        // The instance's own numbers are its Ins's to give.
        send(
            EventFrame.make(event, subgroup: instance.text, sequence: nil, data: data),
            to: session)
    }
}

/// What `instance-queue` says to who waits.
private struct QueueWord: Encodable {
    let instance: InstanceID
    let position: Int
    let length: Int
    let heldUntil: Timestamp? = nil

    private enum CodingKeys: String, CodingKey {
        case instance, position, length
        case heldUntil = "held_until"
    }
}
