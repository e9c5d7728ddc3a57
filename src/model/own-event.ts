/** Names of events by which Mainsheet tells itself of something: no sender can spell one. `kind` comes before what it is about. */
export function ownEvents(kind: string) {
  const prefix = `${kind}:`;
  return {
    nameOf: (about: string): string => prefix + about,
    /** Undefined for the name of another event. */
    aboutOf: (name: string): string | undefined =>
      name.startsWith(prefix) ? name.slice(prefix.length) : undefined,
  };
}
