// What the portal says, read from where it reads it: a journey looks for buttons and sentences by their keys, in any
// language. A key that is not there fails.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const locales = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'app', 'locales');

/** `words('en')('change.confirm_paying', { amount: '€17.00' })` is `Pay €17.00 and change`. */
export function words(tag) {
  const all = JSON.parse(readFileSync(join(locales, `${tag}.json`), 'utf8'));
  return (key, values = {}) => {
    const text = key.split('.').reduce((node, name) => node?.[name], all);
    if (typeof text !== 'string') throw new Error(`${tag}.json has no text at ${key}`);
    return text.replace(/\{(\w+)\}/g, (_, name) => {
      if (!(name in values)) throw new Error(`${key} needs ${name}`);
      return values[name];
    });
  };
}

export const say = words('en');

/** A day as the portal writes it: the year is left out where it is this one. `when` is in seconds, as the API has it. */
export function near(tag, when) {
  const [day, today] = [new Date(when * 1000), new Date()];
  const year = day.getUTCFullYear();
  const months = JSON.parse(readFileSync(join(locales, `${tag}.json`), 'utf8')).format.months.split('|');
  const said = { day: day.getUTCDate(), month: months[day.getUTCMonth()], year };
  return words(tag)(year === today.getUTCFullYear() ? 'format.day_of_year' : 'format.day', said);
}
