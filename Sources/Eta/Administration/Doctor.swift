import Base
import Crypto
import Domain
import HTTP
import Net
import Runtime
import Storage

/// `eta doctor`: what an operator would look at who wonders why a node does not do what it should.
enum Doctor {
    static let subcommand = Subcommand(
        "doctor",
        help: "Looks at the settings, the data folder, its disk and keys, and whether the node is "
            + "reached at its address; it changes nothing",
        run: run)

    /// How a thing is.
    private enum State: String {
        case good, notable, bad
    }

    private struct Finding {
        let about: String
        let state: State
        let text: String
    }

    private static func run(_ launch: Launch) async throws {
        let settings = try EtaSettings(launch.config)
        try DataFolder.requireNode(settings, launch)
        var findings = [work(settings)]
        findings += await database(settings, launch)
        findings.append(disk(settings))
        findings += keys(settings)
        findings.append(await reach(settings, launch))
        if launch.invocation.json {
            launch.answer(
                json: .array(
                    findings.map { finding in
                        [
                            "about": .string(finding.about),
                            "state": .string(finding.state.rawValue),
                            "text": .string(finding.text),
                        ]
                    }))
        } else {
            for finding in findings {
                let state = finding.state.rawValue
                let space = String(repeating: " ", count: 9 - state.count)
                launch.answer("\(state)\(space)\(finding.about): \(finding.text)")
            }
        }
        let bad = findings.count { $0.state == .bad }
        if bad > 0 {
            throw Fault(
                "\(bad) \(bad == 1 ? "thing needs" : "things need") looking after",
                remedy: "see the lines that begin with bad")
        }
    }

    /// Whether an Eta works on the folder, and whether all in it is of one state.
    private static func work(_ settings: EtaSettings) -> Finding {
        if let unfinished = try? RestoredFolder.isUnfinished(in: settings.data), unfinished {
            return Finding(
                about: "data folder", state: .bad,
                text: "a restore into \(settings.data) was broken off; start eta, which ends it")
        }
        do throws(DataFolderLockError) {
            _ = try DataFolderLock(folder: settings.data, name: "eta doctor")
            return Finding(
                about: "data folder", state: .notable,
                text: "\(settings.data), on which no eta works at the moment")
        } catch {
            guard case .held(_, let holder) = error else {
                return Finding(about: "data folder", state: .bad, text: "\(error)")
            }
            return Finding(
                about: "data folder", state: .good, text: "\(settings.data), held by \(holder)")
        }
    }

    private static func database(_ settings: EtaSettings, _ launch: Launch) async -> [Finding] {
        let about = "database"
        let known = EtaMigration.allCases.count
        do {
            let database = try Database.openAsIs(
                path: DataFolder.databasePath(settings), ambient: launch.ambient)
            let schema = try database.schemaVersion()
            guard schema == known else {
                return [
                    Finding(
                        about: about, state: schema > known ? .bad : .notable,
                        text: schema > known
                            ? "schema \(schema), and this eta knows \(known); start the newer one"
                            : "schema \(schema), brought to \(known) when this eta is started")
                ]
            }
            let findings = try await Administration.attempt("doctor") {
                () async throws(APIError) in
                try database.read { (reader) throws(APIError) in
                    try facts(settings, schema, reader)
                }
            }
            await database.close()
            return findings
        } catch {
            return [Finding(about: about, state: .bad, text: "cannot be read (\(error))")]
        }
    }

    private static func facts(
        _ settings: EtaSettings, _ schema: Int, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [Finding] {
        let users = try UserStore.countPeople(reader)
        var findings = [
            Finding(about: "database", state: .good, text: "schema \(schema), \(users) users")
        ]
        let former = try NodeStore.address(reader)
        if former != settings.nodeAddress {
            findings.append(
                Finding(
                    about: "address", state: .notable,
                    text: "\(settings.nodeAddress), and \(former?.text ?? "none") at its last "
                        + "start; with another address it is another node to everybody"))
        }
        let isAdministered = try UserStore.isAdministered(reader)
        findings.append(
            Finding(
                about: "administrators", state: isAdministered ? .good : .notable,
                text: isAdministered
                    ? "there is one" : "there is none; eta user add NAME --admin makes one"))
        let total = try FileTable.total(reader)
        let quota = settings.files.nodeQuota
        let isFull = quota.map { total >= $0 } ?? false
        findings.append(
            Finding(
                about: "files", state: isFull ? .bad : .good,
                text: "\(total) bytes"
                    + (quota.map { " of the \($0) of \(FileSettings.nodeQuota.key)" } ?? "")))
        return findings
    }

    private static func disk(_ settings: EtaSettings) -> Finding {
        let floor = settings.files.freeFloor
        do throws(FileError) {
            let free = try SystemDisk().free(settings.data)
            let state: State = free < floor ? .bad : free / 2 < floor ? .notable : .good
            return Finding(
                about: "disk", state: state,
                text: "\(free) bytes are free, and uploads leave \(floor) of them alone")
        } catch {
            return Finding(about: "disk", state: .bad, text: "cannot be asked (\(error))")
        }
    }

    /// The keys are there, and nobody else's.
    private static func keys(_ settings: EtaSettings) -> [Finding] {
        let folder = settings.data + "/keys/"
        let all = [folder + "node.key", folder + "access.key", settings.clusterKey]
        return all.map { path in
            do throws(ConfigError) {
                let isThere = try KeyFiles.read(path, setting: EtaSettings.data.key) != nil
                return Finding(
                    about: "key", state: isThere ? .good : .bad,
                    text: isThere ? path : "\(path) is missing; bring it back from a backup")
            } catch {
                return Finding(about: "key", state: .bad, text: error.line)
            }
        }
    }

    /// Whether the node answers at its own address, as the world would ask it.
    private static func reach(_ settings: EtaSettings, _ launch: Launch) async -> Finding {
        let about = "reach"
        let scheme = settings.nodeSecure ? "https" : "http"
        let url = "\(scheme)://\(settings.nodeAddress)/api/health"
        do {
            let names = BlockingPool(name: "resolver", threads: 1, queueLimit: 4)
            let client = HTTPClient(
                group: launch.group, resolver: Resolver(pool: names),
                tls: settings.nodeSecure ? try TLSClientConfiguration() : nil)
            let request = ClientRequest(
                .get, secure: settings.nodeSecure, host: settings.nodeAddress.hostText,
                port: settings.nodeAddress.port, target: Array("/api/health".utf8))
            let response = try await client.send(request, on: launch.group.loops[0])
            let isWell = response.status == .ok
            return Finding(
                about: about, state: isWell ? .good : .notable,
                text: "\(url) answers \(response.status.code)"
                    + (isWell ? "" : "; see that eta runs, and what reil says"))
        } catch {
            return Finding(
                about: about, state: .notable,
                text: "\(url) is not reached from here (\(error)); see that reil runs")
        }
    }
}
