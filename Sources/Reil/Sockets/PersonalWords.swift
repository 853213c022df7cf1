import API
import Base
import Domain
import HTTP

/// An event for some people, encoded once for all sockets of a Reil.
struct Word: Sendable {
    let people: [Person]
    let event: SocketEvent
    let instance: InstanceID?
    let data: EncodedJSON

    init(_ telling: Telling, home: ServerAddress) {
        people = telling.people.map { Person($0, home: home) }
        event = telling.event
        instance = telling.instance
        data = EncodedJSON(telling.data)
    }
}

/// What some people are told wherever they are, at whichever of their sockets.
extension SocketLoop {
    /// Tells those of a word's people who have sockets here.
    func tell(_ word: Word) {
        for person in word.people { tell(word.event, of: word.instance, word.data, to: person) }
    }

    /// Tells each who waits for an instance where they stand; the next one first.
    func tellQueue(of instance: InstanceID, _ waiting: [Person]) {
        for (index, person) in waiting.enumerated() where people[person] != nil {
            let place = QueueWord(instance: instance, position: index + 1, length: waiting.count)
            tell(.instanceQueue, of: instance, EncodedJSON(place), to: person)
        }
    }

    private func tell(
        _ event: SocketEvent, of instance: InstanceID?, _ data: EncodedJSON, to person: Person
    ) {
        for session in people[person] ?? [] {
            guard let instance else {
                self.event(event, data, to: session)
                continue
            }
            // The instance's own numbers are its Ins's to give.
            let frame = EventFrame.make(
                event, subgroup: instance.text, sequence: nil, data: data)
            send(frame, to: session)
        }
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
