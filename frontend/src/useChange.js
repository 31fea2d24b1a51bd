// Sending a change: one at a time, however often a learner clicks, and what became of it.
import {
  useCallback, useEffect, useRef, useState,
} from 'react';

import { refusalOf } from './api';

/**
 * Return `{ state, send, forget }`. `state.status` is `idle`, `pending`, `stored`, `refused` (with `state.refusal`) or
 * `failed`; `state.name` is that of the last change.
 */
export function useChange() {
  const [state, setState] = useState({ status: 'idle', name: null });
  // Not the state: a second click may come before that is shown.
  const isPending = useRef(false);
  // What comes after the component is gone is nobody's any more.
  const isMounted = useRef(false);
  useEffect(() => {
    isMounted.current = true;
    return () => { isMounted.current = false; };
  }, []);

  const send = useCallback((name, request, { onStored, onRefused } = {}) => {
    if (isPending.current) { return; }
    isPending.current = true;
    setState({ status: 'pending', name });
    request().then((answer) => {
      isPending.current = false;
      if (!isMounted.current) { return; }
      setState({ status: 'stored', name });
      onStored?.(answer);
    }, (error) => {
      isPending.current = false;
      if (!isMounted.current) { return; }
      const refusal = refusalOf(error);
      setState({ status: refusal ? 'refused' : 'failed', name, refusal });
      if (refusal) { onRefused?.(refusal); }
    });
  }, []);
  const forget = useCallback(() => {
    if (!isPending.current) { setState({ status: 'idle', name: null }); }
  }, []);

  return { state, send, forget };
}
