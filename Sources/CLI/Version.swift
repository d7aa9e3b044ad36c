/// This kguard's version; the changelog has an entry for each.
let kguardVersion = "0.1.0"
