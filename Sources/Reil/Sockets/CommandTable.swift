import API
import Base
import Domain
import HTTP

/// Each command and what it does. What has to be asked of Eta begins at once and ends later; by
/// then the socket may be gone, so it is looked up anew.
extension SocketLoop {
    /// Does what a frame asks; the machine has let it through.
    func perform(_ command: SocketCommand, _ frame: SocketFrame, _ session: SocketSession) {
        let number = session.number
        switch command {
        case .ping: ping(frame, session)
        case .authenticate: Task.immediate { await self.authenticate(number, frame) }
        case .subscribe: subscribe(frame, session, isWanted: true)
        case .unsubscribe: subscribe(frame, session, isWanted: false)
        case .instanceJoin: Task.immediate { await self.join(number, frame) }
        case .instanceLeave: Task.immediate { await self.leave(number, frame) }
        case .instanceData: say(frame, session)
        case .instanceTransform: move(frame, session)
        case .instanceModerate: Task.immediate { await self.moderate(number, frame) }
        case .instanceInvite: Task.immediate { await self.invite(number, frame) }
        case .instanceObject: handle(frame, session)
        }
    }

    private func refuse(_ frame: SocketFrame, _ error: APIError, _ session: SocketSession) {
        send(frame.refusal(error), to: session)
    }

    private func ping(_ frame: SocketFrame, _ session: SocketSession) {
        do throws(InvalidFields) {
            let ping = try frame.decode(SocketMessages.Ping.self)
            let pong = SocketMessages.Pong(
                client: ping.time, server: services.ambient.clock.timestamp())
            send(frame.answer(pong), to: session)
        } catch {
            refuse(frame, APIError(.malformedRequest, error), session)
        }
    }

    private func subscribe(_ frame: SocketFrame, _ session: SocketSession, isWanted: Bool) {
        guard let names = try? frame.decode(SocketMessages.Subscription.self).names, !names.isEmpty
        else { return refuse(frame, APIError(.invalidSubscription), session) }
        let events = names.compactMap { SocketEvent(rawValue: $0) }
        let ids = names.filter { SocketEvent(rawValue: $0) == nil }.compactMap { ServiceID($0) }
            .filter { services.switchboard.knows($0) || session.heard.contains($0) }
        guard events.count + ids.count == names.count else {
            return refuse(frame, APIError(.invalidSubscription), session)
        }
        for id in ids {
            if !isWanted {
                unhear(id, session)
            } else if !hear(id, session) {
                return refuse(frame, .tooManyRequests(retryAfter: .seconds(60)), session)
            }
        }
        session.machine.change(EventSet(events), isWanted: isWanted)
        noteSubscriptions(session)
        let all = EncodedJSON(
            SocketMessages.Subscriptions(
                events: session.machine.subscriptions.events, services: session.heard.sorted()))
        send(frame.answer { $0.append(all.bytes) }, to: session)
        event(isWanted ? .subscribed : .unsubscribed, all, to: session)
    }
}

// Who speaks.
extension SocketLoop {
    private func authenticate(_ number: Int, _ frame: SocketFrame) async {
        do throws(APIError) {
            let input = try authentication(frame)
            switch try credential(input, hasUpgrade: session(number)?.hasUpgradeCredential) {
            case (let form, let token)?: await authenticate(number, form, token, for: frame, input)
            case nil:
                // The login at the upgrade stands, and is told of once more.
                await authenticated(number, frame, input)
            }
        } catch {
            refused(number, frame, error)
        }
    }

    private func authentication(
        _ frame: SocketFrame
    ) throws(APIError) -> SocketMessages.Authenticate {
        do throws(InvalidFields) {
            return try frame.decode(SocketMessages.Authenticate.self)
        } catch {
            throw APIError(.authInvalidInput, error)
        }
    }

    /// What `authenticate` shows; nil where the upgrade had it.
    private func credential(
        _ input: SocketMessages.Authenticate, hasUpgrade: Bool?
    ) throws(APIError) -> (CredentialForm, [UInt8])? {
        let text: String
        let isToken: Bool
        switch (input.token, input.integrity) {
        case (let token?, nil): (text, isToken) = (token, true)
        case (nil, let integrity?): (text, isToken) = (integrity, false)
        case (nil, nil) where hasUpgrade == true: return nil
        case (nil, nil), (.some, .some):
            throw APIError(.authInvalidInput, field: "token", "or integrity, one of the two")
        }
        guard let form = CredentialForm.detect(text.utf8) else {
            throw APIError(isToken ? .userNotLogged : .integrityNotFound)
        }
        switch (form, isToken) {
        case (.access, true), (.service, true), (.integrity, false):
            return (form, Array(text.utf8))
        case (.access, _), (.integrity, _), (.server, _), (.ins, _), (.service, _):
            throw APIError(.wrongCredential)
        }
    }

    /// Finds out whose a credential is: of the command in `frame`, or of the upgrade.
    func authenticate(
        _ number: Int, _ form: CredentialForm, _ token: [UInt8], for frame: SocketFrame?,
        _ input: SocketMessages.Authenticate? = nil
    ) async {
        do throws(APIError) {
            let entry = try await services.authenticator.resolve(form, token, on: loop)
            guard let session = session(number) else { return }
            adopt(session, try identity(entry, of: session))
            await authenticated(number, frame, input)
        } catch {
            // On the socket a grant that is dead has an error of its own.
            let isDeadGrant = form == .integrity && error.code == .userNotLogged
            refused(number, frame, isDeadGrant ? APIError(.integrityNotFound) : error)
        }
    }

    /// It is known who speaks: the client is told, after what it missed where it comes back.
    private func authenticated(
        _ number: Int, _ frame: SocketFrame?, _ input: SocketMessages.Authenticate?
    ) async {
        guard let session = session(number) else { return }
        if let frame, let word = input?.resume {
            // What it asks meanwhile waits.
            session.machine.beginAuthentication()
            if await resume(session, by: word, last: input?.last ?? [:], for: frame) { return }
        }
        guard let session = self.session(number) else { return }
        session.machine.authenticated(asSomebodyElse: false)
        tellAuthenticated(session, frame)
    }

    private func identity(
        _ entry: TokenCache.Entry, of session: SocketSession
    ) throws(APIError) -> Identity {
        guard let home = services.eta.welcome?.server.address, let person = Person(entry.caller),
            let reference = entry.caller.reference(home: home)
        else { throw APIError(.wrongCredential) }
        let place: SocketCounts.Place
        let key = SocketCounts.Key(entry.caller) ?? .person(person)
        if let own = session.identity, own.place.key == key {
            place = own.place
        } else if let opening = session.openingPlace, opening.key == key {
            place = opening
        } else if let fresh = services.counts.enter(key) {
            place = fresh
        } else {
            throw .tooManyRequests(retryAfter: .seconds(60))
        }
        return Identity(
            caller: entry.caller, person: person, reference: reference,
            expiresAt: entry.caller.visitor == nil ? nil : entry.expiresAt, place: place)
    }

    private func tellAuthenticated(_ session: SocketSession, _ frame: SocketFrame?) {
        guard let identity = session.identity else { return }
        let resume = makeResumeWord(session)
        let isInternal = identity.caller.user != nil
        if let frame {
            let answer = SocketMessages.Authenticated(
                user: identity.reference, internal: isInternal, resume: resume, resumed: false,
                replayed: false)
            send(frame.answer(answer), to: session)
        }
        tellLogin(identity, resume, to: session)
        performWaiting(session)
    }

    /// What follows the answer, and alone tells of a login at the upgrade.
    func tellLogin(_ identity: Identity, _ resume: String, to session: SocketSession) {
        let told = AuthenticatedEvent(
            user: identity.reference, internal: identity.caller.user != nil, resume: resume)
        event(.authenticated, EncodedJSON(told), to: session)
    }

    private func refused(_ number: Int, _ frame: SocketFrame?, _ error: APIError) {
        guard let session = session(number) else { return }
        let isOver = session.machine.refused()
        if let frame { refuse(frame, error, session) }
        if error.code == .userSuspended {
            turnOut(session, .denied, reason: "suspended")
        } else if frame == nil {
            turnOut(
                session, error.code == .overloaded ? .tryAgain : .unauthenticated,
                reason: "the credential of the upgrade is refused")
        } else if isOver {
            turnOut(session, .unauthenticated, reason: "too many tries")
        } else {
            performWaiting(session)
        }
    }
}

private struct AuthenticatedEvent: Encodable {
    let user: UserReference
    let `internal`: Bool
    let resume: String
}

// Rooms.
extension SocketLoop {
    private func join(_ number: Int, _ frame: SocketFrame) async {
        guard let session = session(number), let identity = session.identity else { return }
        let input: SocketMessages.Join
        do throws(InvalidFields) {
            input = try frame.decode(SocketMessages.Join.self)
        } catch {
            // What names none is an instance that there is not.
            let isOfName = error.problems.allSatisfy { $0.field == "instance" }
            let code: ErrorCode = isOfName ? .instanceNotFound : .instanceInvalidInput
            return refuse(frame, APIError(code, error), session)
        }
        guard let selector = input.instance ?? frame.target.selector else {
            return refuse(frame, APIError(.instanceNotFound), session)
        }
        if case .id(let instance) = selector, session.membership(in: instance) != nil {
            return refuse(frame, APIError(.userNotAllowed), session)
        }
        guard session.memberships.count + session.seatsAsked < SessionMachine.Limits.instances
        else { return refuse(frame, APIError(.userNotAllowed), session) }
        let player = PlayerID.make(
            at: services.ambient.clock.timestamp(), random: services.ambient.random)
        session.seatsAsked += 1
        services.roster.ask(player)
        do throws(APIError) {
            let seat = try await services.eta.call(
                RegistryAPI.takeSeat, RegistryAPI.SeatRequest(player: player, as: input.as),
                captures: [selector.text], as: identity.caller, on: loop)
            await took(seat, number, frame, identity)
        } catch {
            services.roster.unask(player)
            if let session = self.session(number) {
                session.seatsAsked -= 1
                refuse(frame, error, session)
            }
            // Where Eta did not answer it may have taken the seat all the same.
            if error.code.isRetryable { await returnSeat(selector, player, identity.caller) }
        }
    }

    /// A seat is taken, for a socket that may be gone, or somebody else's, by now.
    private func took(
        _ seat: RegistryAPI.Seat, _ number: Int, _ frame: SocketFrame, _ identity: Identity
    ) async {
        let instance = seat.hosting.instance
        if let session = session(number), session.identity?.person == identity.person {
            session.seatsAsked -= 1
            do throws(APIError) {
                if session.membership(in: instance) != nil { throw APIError(.userNotAllowed) }
                return try enter(session, seat, frame)
            } catch {
                refuse(frame, error, session)
            }
        } else {
            session(number)?.seatsAsked -= 1
        }
        services.roster.unask(seat.player.id)
        await returnSeat(.id(instance), seat.player.id, identity.caller)
    }

    private func leave(_ number: Int, _ frame: SocketFrame) async {
        guard let session = session(number), let identity = session.identity else { return }
        guard let instance = instance(of: frame), let known = session.membership(in: instance),
            known.isEntered, let membership = remove(session, instance)
        else { return refuse(frame, APIError(.notInInstance), session) }
        services.roster.leave(instance, membership.player, .disconnected)
        await returnSeat(.id(instance), membership.player, identity.caller)
        guard let session = self.session(number) else { return }
        let left = SocketMessages.Left(
            instance: instance, player: membership.player, type: .disconnected)
        send(frame.answer(left), to: session)
    }

    private func moderate(_ number: Int, _ frame: SocketFrame) async {
        await ask(number, frame, SocketMessages.Moderation.self) {
            (eta, input, identity, loop) throws(APIError) in
            let order = RegistryAPI.ModerationOrder(
                type: input.type, player: input.player, user: input.user, reason: input.reason,
                until: input.until)
            let _: Nothing = try await eta.call(
                RegistryAPI.moderate, order, captures: [input.instance.text],
                as: identity.caller, on: loop)
        }
    }

    private func invite(_ number: Int, _ frame: SocketFrame) async {
        await ask(number, frame, SocketMessages.Invitation.self) {
            (eta, input, identity, loop) throws(APIError) in
            let _: Candidate = try await eta.call(
                WaitingAPI.apply, WaitingAPI.About(user: input.user),
                captures: [input.instance.text], as: identity.caller, on: loop)
        }
    }

    /// Asks Eta for what a command wants; the answer is `{}`.
    private func ask<Input: Decodable & InstanceNaming>(
        _ number: Int, _ frame: SocketFrame, _ type: Input.Type,
        _ act:
            @Sendable (EtaLink, Named<Input>, Identity, any LoopExecutor)
            async throws(APIError) -> Void
    ) async {
        guard let session = session(number), let identity = session.identity else { return }
        do throws(APIError) {
            let input: Input
            do throws(InvalidFields) {
                input = try frame.decode(type)
            } catch {
                throw APIError(type.refusal(of: error), error)
            }
            guard let instance = input.instance ?? frame.target.selector else {
                throw APIError(.instanceNotFound)
            }
            try await act(
                services.eta, Named(input: input, instance: instance), identity, loop)
            if let session = self.session(number) {
                send(frame.answer { $0.append("{}") }, to: session)
            }
        } catch {
            if let session = self.session(number) { refuse(frame, error, session) }
        }
    }

    private func instance(of frame: SocketFrame) -> InstanceID? {
        guard let data = frame.data,
            let object = try? JSONScanner.object(frame.bytes, in: data)
        else { return frame.target.instance }
        return frame.instance(in: object)
    }

    private func say(_ frame: SocketFrame, _ session: SocketSession) {
        guard let shape = DataShape(frame) else {
            return refuse(frame, APIError(.instanceInvalidInput), session)
        }
        guard let instance = shape.instance, let membership = session.membership(in: instance),
            membership.isEntered
        else { return refuse(frame, APIError(.notInInstance), session) }
        if membership.isMuted { return refuse(frame, APIError(.playerMuted), session) }
        guard shape.length <= SocketMessages.dataLimit else {
            return refuse(frame, APIError(.payloadTooLarge), session)
        }
        guard let route = services.roster.route(to: instance) else {
            return refuse(frame, APIError(.noInstanceServer), session)
        }
        route.link.send(
            .data, from: membership.player, to: instance, epoch: route.epoch,
            json: frame.bytes[shape.range])
        send(frame.answer { $0.append("{}") }, to: session)
    }

    /// Something is wanted of an object: the room answers.
    private func handle(_ frame: SocketFrame, _ session: SocketSession) {
        let input: SocketMessages.ObjectCommand
        do throws(InvalidFields) {
            input = try frame.decode(SocketMessages.ObjectCommand.self)
        } catch {
            return refuse(frame, APIError(.instanceInvalidInput, error), session)
        }
        guard let instance = input.instance ?? frame.target.instance,
            let membership = session.membership(in: instance), membership.isEntered
        else { return refuse(frame, APIError(.notInInstance), session) }
        guard let range = frame.data, let object = try? JSONScanner.object(frame.bytes, in: range),
            object["data"]?.count ?? 0 <= SocketMessages.objectLimit
        else { return refuse(frame, APIError(.payloadTooLarge), session) }
        guard let route = services.roster.route(to: instance) else {
            return refuse(frame, APIError(.noInstanceServer), session)
        }
        guard session.questions.count < SessionMachine.Limits.waiting else {
            return refuse(frame, .tooManyRequests(retryAfter: .seconds(1)), session)
        }
        lastTicket += 1
        let ticket = lastTicket
        session.questions[ticket] = RoomQuestion(frame: frame, deadline: now + Self.answerTime)
        questioning.insert(session.number)
        var json = ByteWriter(capacity: 8 + range.count)
        json.append(bigEndian: UInt64(bitPattern: ticket))
        json.append(frame.bytes[range])
        route.link.send(
            .object, from: membership.player, to: instance, epoch: route.epoch,
            json: json.array()[...])
    }

    /// How long a room may take to answer.
    private static let answerTime = Duration.seconds(5)

    /// A room has answered.
    func answered(_ ticket: Int64, _ answer: Result<RoomObject, APIError>, at number: Int) {
        guard let session = session(number),
            let question = session.questions.removeValue(forKey: ticket)
        else { return }
        if session.questions.isEmpty { questioning.remove(number) }
        switch answer {
        case .success(let object):
            send(question.frame.answer(SocketMessages.ObjectAnswer(object)), to: session)
        case .failure(let error): refuse(question.frame, error, session)
        }
    }

    /// Rooms that have not answered in time will not.
    func endUnanswered(_ now: Instant) {
        for number in questioning {
            guard let session = session(number) else {
                questioning.remove(number)
                continue
            }
            for (ticket, question) in session.questions where question.deadline <= now {
                session.questions[ticket] = nil
                refuse(question.frame, APIError(.noInstanceServer), session)
            }
            if session.questions.isEmpty { questioning.remove(number) }
        }
    }

    private func move(_ frame: SocketFrame, _ session: SocketSession) {
        guard let shape = TransformShape(frame) else {
            return refuse(frame, APIError(.instanceInvalidInput), session)
        }
        guard let instance = shape.instance, let membership = session.membership(in: instance),
            membership.isEntered
        else { return refuse(frame, APIError(.notInInstance), session) }
        guard shape.mayBeMoved(by: membership.player) else {
            return refuse(frame, APIError(.userDontHavePermission), session)
        }
        // While its Ins is away a room stands still.
        guard let route = services.roster.route(to: instance) else { return }
        route.link.send(
            .transform, from: membership.player, to: instance, epoch: route.epoch,
            json: frame.bytes[shape.range])
    }
}

/// What a command says, and the instance that it is about, which its subgroup may name instead.
@dynamicMemberLookup
private struct Named<Input: Sendable>: Sendable {
    let input: Input
    let instance: InstanceSelector

    subscript<Value>(dynamicMember path: KeyPath<Input, Value>) -> Value { input[keyPath: path] }
}

extension SocketFrame.Subgroup {
    /// The instance that it is.
    var instance: InstanceID? { if case .instance(let id) = self { id } else { nil } }

    /// The same as it stands in a path.
    fileprivate var selector: InstanceSelector? { instance.map { .id($0) } }
}

extension SocketFrame {
    /// The instance that a command's `data` names; without a name the one that the subgroup is.
    fileprivate func instance(in object: JSONScanner.Object) -> InstanceID? {
        guard let named = object["instance"] else { return target.instance }
        guard bytes[named.lowerBound] == UInt8(ascii: "\"") else { return nil }
        return InstanceID(utf8: bytes[named].dropFirst().dropLast())
    }
}

/// The `data` of an `instance-data`, as far as Reil looks at it.
struct DataShape {
    /// Nil for one that there cannot be.
    let instance: InstanceID?
    /// Where the command's `data` stands.
    let range: Range<Int>
    /// Bytes of what is said.
    let length: Int

    init?(_ frame: SocketFrame) {
        guard let range = frame.data,
            let object = try? JSONScanner.object(frame.bytes, in: range),
            let data = object["data"]
        else { return nil }
        self.range = range
        instance = frame.instance(in: object)
        length = data.count
    }
}

/// The `data` of an `instance-transform`, as far as Reil looks at it.
struct TransformShape {
    /// Nil for one that there cannot be.
    let instance: InstanceID?
    /// Where the command's `data` stands.
    let range: Range<Int>
    /// Whose and which part it moves.
    let path: String

    init?(_ frame: SocketFrame) {
        guard let range = frame.data,
            let object = try? JSONScanner.object(frame.bytes, in: range),
            let path = object["path"].flatMap({ JSONScanner.text(frame.bytes, $0) })
        else { return nil }
        self.range = range
        instance = frame.instance(in: object)
        self.path = path
    }

    /// Whether `player` may: a body is its owner's alone. Who moves objects the room knows.
    func mayBeMoved(by player: PlayerID) -> Bool {
        guard path.hasPrefix("p:") else { return true }
        let owner = path.dropFirst(2).prefix { $0 != "/" }
        return owner == "@me" || owner == player.text
    }
}
