import API
import Base
import Domain
import Federation

/// What another node says, as far as it may be believed: of itself and of nobody else.
protocol Foreign: Codable, Sendable {
    /// Refuses what is not that node's, and marks what is. `captures`: what was asked for.
    mutating func admit(from peer: Peer, asked captures: [String]) throws(APIError)
}

extension Peer {
    func requireOwn(_ server: ServerAddress, _ what: @autoclosure () -> String) throws(APIError) {
        guard server == address else {
            throw APIError(.badDataFromServer, context: "\(address) answers \(what()) of \(server)")
        }
    }

    /// Images are fetched by clients: one that lies elsewhere would tell a third party who looks.
    func requireOwn(_ image: WebURL?) throws(APIError) {
        guard let image else { return }
        guard
            gateways.contains(where: { $0.address == image.server && $0.secure == image.secure })
        else {
            throw APIError(
                .badDataFromServer, context: "\(address) has an image at \(image.server)")
        }
    }

    func requireAsked(_ isAsked: Bool) throws(APIError) {
        guard isAsked else {
            throw APIError(.badDataFromServer, context: "\(address) answers with another object")
        }
    }
}

extension User: Foreign {
    mutating func admit(from peer: Peer, asked captures: [String]) throws(APIError) {
        try peer.requireOwn(server, "a user")
        try peer.requireOwn(thumbnail)
        try peer.requireOwn(banner)
        if let selector = captures.first.flatMap({ UserSelector($0) }) {
            switch selector.name {
            case .id(let id): try peer.requireAsked(id == self.id)
            case .username(let name): try peer.requireAsked(name.folded == username.folded)
            case .me, .server, .admin: break
            }
        }
        external = true
    }
}

extension World: Foreign {
    mutating func admit(from peer: Peer, asked captures: [String]) throws(APIError) {
        try peer.requireOwn(server, "a world")
        // A world's owner has their account on its node; contributors may be from anywhere.
        owner = owner.absolute(at: peer.address)
        try peer.requireOwn(owner.server ?? peer.address, "a world's owner")
        contributors = contributors.map { $0.absolute(at: peer.address) }
        try peer.requireOwn(thumbnail)
        if let asked = captures.first.flatMap({ WorldReference($0) }) {
            try peer.requireAsked(asked.id == id)
        }
        external = true
    }
}

extension Asset: Foreign {
    mutating func admit(from peer: Peer, asked captures: [String]) throws(APIError) {
        if let asked = captures.dropFirst().first.flatMap({ AssetID($0) }) {
            try peer.requireAsked(asked == id)
        }
        external = true
    }
}

extension Server: Foreign {
    mutating func admit(from peer: Peer, asked captures: [String]) throws(APIError) {
        try peer.requireOwn(address, "the server")
        guard peer.admits(gateway) else {
            throw APIError(
                .badRedirectionFromServer,
                context: "\(peer.address) does not name \(gateway.field)")
        }
        try peer.requireOwn(icon)
        external = true
    }
}

extension Service: Foreign {
    mutating func admit(from peer: Peer, asked captures: [String]) throws(APIError) {
        try peer.requireOwn(server, "a service")
        owner = owner.absolute(at: peer.address)
        try peer.requireOwn(owner.server ?? peer.address, "a service's owner")
        if let asked = captures.first.flatMap({ ServiceReference($0) }) {
            try peer.requireAsked(asked.id == id)
        }
        // It would be somebody's, and is for nobody here.
        credential = nil
        external = true
    }
}

extension Page: Foreign where Item: Foreign {
    mutating func admit(from peer: Peer, asked captures: [String]) throws(APIError) {
        // A list holds many objects, none of which was asked for by its id.
        var admitted: [Item] = []
        for var item in items {
            try item.admit(from: peer, asked: [])
            admitted.append(item)
        }
        guard items.count <= 100, total >= 0, next?.utf8.count ?? 0 <= 512 else {
            throw APIError(.badStructureFromServer, context: "\(peer.address): a page too large")
        }
        self = Page(items: admitted, next: next, total: total)
    }
}
