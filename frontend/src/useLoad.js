// Loading something when a component appears: whether it is slow, has failed, or is there; and trying again.
import {
  useCallback, useEffect, useRef, useState,
} from 'react';

/** A load that takes longer than this is worth a word. */
export const SLOW_MS = 5000;

/**
 * Load something at once, and again on `reload()`.
 *
 * @param {function} load returns a promise
 * @returns {{data, status, reload, setData}} status: `loading`, `slow`, `failed` or `loaded`. While it is loaded again,
 * and should that fail, the data that was there stays.
 */
export function useLoad(load) {
  const [state, setState] = useState({ status: 'loading', data: null });
  const latest = useRef(0);
  const loadRef = useRef(load);
  loadRef.current = load;

  const reload = useCallback(() => {
    latest.current += 1;
    const turn = latest.current;
    const settle = (change) => {
      if (turn === latest.current) { setState((before) => ({ ...before, ...change })); }
    };
    settle({ status: 'loading' });
    const timer = setTimeout(() => settle({ status: 'slow' }), SLOW_MS);
    loadRef.current()
      .then((data) => settle({ status: 'loaded', data }), () => settle({ status: 'failed' }))
      .finally(() => clearTimeout(timer));
  }, []);
  const setData = useCallback((data) => setState({ status: 'loaded', data }), []);

  useEffect(() => {
    reload();
    // What is still on its way when the component goes is nobody's any more.
    return () => { latest.current += 1; };
  }, [reload]);

  return { ...state, reload, setData };
}
